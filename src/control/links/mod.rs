//! The links of the network namespace, kept up to date.
//!
//! The kernel does not notify a socket when its link is removed, so its announcements of links are the only
//! notice. Links are compared by ifindex: a link that is created again under its old name is another link.

mod attachments;
mod event;
mod link;
mod lookup;
mod table;
mod watch;

pub use attachments::Attachments;
pub use event::LinkEvent;
#[cfg(test)]
pub(super) use link::test_link;
pub use link::{LARGEST_MTU, Link};
pub use lookup::{LinkConflict, TAP_ID_CHARS, affected_ports, describe_missing, find_link, tap_ports};
pub use table::Links;
pub use watch::{LinkWatch, LinksError};
