//! The from-port half: whose frame it is, whether that port may send it, and where it goes.

mod announce;
mod antispoof;
mod checksum;
mod classify;
mod copy;
mod flood;
mod locate;
mod outside;
mod permit;
mod sighting;

pub(super) use antispoof::antispoof;
pub(super) use checksum::checksum;
pub use classify::{Ingress, classify};
pub(super) use copy::copy;
pub(super) use flood::{flood, spread};
pub(super) use locate::holder;
pub use locate::locate;
pub(super) use outside::classify_outside;
pub(super) use permit::permit;
pub(super) use sighting::unknown_tag;
