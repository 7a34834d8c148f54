//! The to-port half: whether the receiver takes the packet, and how it leaves by the receiver's link.

mod admit;
mod cut;
mod fit;
mod wrap;

pub(super) use admit::admit;
pub(super) use cut::cut;
pub(super) use fit::{Fit, fit, fit_whole};
pub(super) use wrap::wrap;
