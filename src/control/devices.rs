//! Opening links, as far as the reconcile path knows of it.

use std::future::Future;

use super::links::Link;
use crate::config::PortOptions;
use crate::tables::{LinkSlot, WorkerId};
use crate::types::IfIndex;
use crate::worker::WorkerPoolError;

/// Opens and closes links. `AfXdp` does it for real; where no frame flows, something simpler may.
///
/// What may wait in the kernel is begun by a call and ends with an event.
pub trait Devices {
    /// An open link.
    type Handle;

    /// Begins to open `link`, which gets the place `slot` in the tables. Ends with [`DeviceEvent::Opened`]; frames do not
    /// flow then yet.
    fn open(&mut self, link: &Link, slot: LinkSlot, options: PortOptions);

    /// Waits for the next event. May be dropped while it waits: nothing is lost.
    fn next(&mut self) -> impl Future<Output = DeviceEvent<Self::Handle>>;

    /// Lets frames flow. The tables that know the link are in force by now.
    ///
    /// # Errors
    /// A worker has died.
    fn connect(
        &mut self,
        slot: LinkSlot,
        handle: &mut Self::Handle,
    ) -> impl Future<Output = Result<(), WorkerPoolError>>;

    /// Lets no more frames flow, and begins to close the link. No table knows it any more. Until it is opened again, or no
    /// longer [kept](Self::keep), its frames meet the policy of the port that it was.
    fn release(&mut self, slot: LinkSlot, handle: Self::Handle) -> impl Future<Output = ()>;

    /// Gives up the links that were released, or could only half be opened, unless they are `wanted`.
    fn keep(&mut self, wanted: impl Fn(IfIndex) -> bool);
}

/// What became of a link in the kernel.
#[derive(Debug)]
pub enum DeviceEvent<H> {
    /// An opening has ended.
    Opened {
        /// The link.
        ifindex: IfIndex,
        /// The open link and the worker of each of its queues; or why it cannot be had, for people. It is tried again
        /// later.
        outcome: Result<(H, Vec<WorkerId>), String>,
    },
    /// The queues that a link has in use.
    Queues {
        /// The link.
        ifindex: IfIndex,
        /// RX queues.
        rx: u16,
        /// TX queues.
        tx: u16,
    },
    /// An open link is no longer as it was opened.
    Lost {
        /// The link.
        ifindex: IfIndex,
        /// What has changed, for people.
        reason: String,
    },
}
