//! Step 3 again, for a frame that waited in the queue to another worker while the tables changed.

use super::dispatch::{is_as_it_came, tag};
use super::{DropReason, Source};
use crate::packet::{Header, LongTcp, dot1q};
use crate::tables::{Egress, Port, Tables};
use crate::types::{NetworkKey, Pcp, PortKey};
use crate::xsk::Frame;

/// What a frame was prepared for: its receiver, as the tables of the sending worker had it.
#[derive(Debug, Clone, Copy)]
pub struct Prepared {
    generation: u64,
    port: PortKey,
    network: Option<NetworkKey>,
    /// The priority of the frame as it came in.
    pcp: Pcp,
    /// Tags pushed for the receiver.
    tags: usize,
}

impl Prepared {
    /// A frame from `source`, ready for the wire to `to` by `tables`.
    #[inline]
    #[must_use]
    pub fn new(source: &Source, to: Egress<'_>, tables: &Tables) -> Self {
        Self {
            generation: tables.generation(),
            port: to.port.key,
            network: tables.network(source.network).map(|network| network.key),
            pcp: source.pcp,
            tags: to.port.tags.len(),
        }
    }

    /// Whether the frame was prepared by these very tables.
    #[inline]
    #[must_use]
    pub const fn is_current(&self, tables: &Tables) -> bool {
        self.generation == tables.generation()
    }

    /// Whether the frame was prepared for `port`: another port may have its slot by now.
    #[inline]
    #[must_use]
    pub fn is_for(&self, port: &Port) -> bool {
        self.port == port.key
    }

    /// Prepares the frame again by newer `tables`, in which its receiver is `to`. A packet that was cut, or did not have to
    /// be, is not cut a second time when the MTU has become smaller meanwhile.
    ///
    /// # Errors
    /// The reason to drop it, on the receiver's account.
    #[cold]
    pub fn renew(&self, frame: &mut Frame, to: Egress<'_>, tables: &Tables) -> Result<(), DropReason> {
        (0..self.tags).for_each(|_| dot1q::strip(frame));
        let network = to.port.network.and_then(|slot| tables.network(slot));
        if self.network.is_none() || network.map(|network| network.key) != self.network {
            return Err(DropReason::DispatchNetworkLeft);
        }
        if to.port.subports.as_deref().is_some_and(|table| !is_as_it_came(frame, table)) {
            return Err(DropReason::DispatchTagRefused);
        }
        let is_long = frame.len() > to.link.mtu + Header::LEN;
        if is_long && LongTcp::find(frame.bytes(), frame.len(), to.link.mtu).is_some() {
            return Err(DropReason::DispatchTooLong);
        }
        tag(frame, self.pcp, to)
    }
}
