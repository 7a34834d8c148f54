//! The part of control that opens and closes links, as the reconciler uses it.

use std::fmt::Display;
use std::future::Future;
use std::net::IpAddr;

use super::links::Link;
use crate::config::LinkOptions;
use crate::kernel::ProgramChange;
use crate::tables::{LinkSlot, Steering, WorkerId};
use crate::types::IfIndex;
use crate::worker::WorkerPoolError;

/// Opens and closes links: `AfXdp` with a kernel, a simulation in tests. A call that may block in the kernel
/// only starts the operation, whose end is an event.
pub trait LinkBackend {
    /// The value that stands for an open link.
    type Handle;
    /// The reason why a link could not be opened. Its text is for operators.
    type Error: Display;

    /// Starts to open `link`, which has the place `slot` in the tables. Ends with [`BackendEvent::Opened`].
    /// Its frames do not flow before [`connect`](Self::connect).
    fn open(&mut self, link: &Link, slot: LinkSlot, options: LinkOptions);

    /// Waits for the next event. Cancel-safe.
    fn next(&mut self) -> impl Future<Output = BackendEvent<Self::Handle, Self::Error>>;

    /// Lets frames of an open link flow. The tables in force have to contain the link already.
    ///
    /// # Errors
    /// A worker has died.
    fn connect(
        &mut self,
        slot: LinkSlot,
        handle: &mut Self::Handle,
    ) -> impl Future<Output = Result<(), WorkerPoolError>>;

    /// Sets which frames an open uplink receives: tunnel packets to `endpoint`, and those of provider
    /// networks.
    fn steer(&mut self, handle: &mut Self::Handle, endpoint: Option<IpAddr>, steering: &Steering);

    /// Stops the frames of a link, and starts to close it. No table contains it any more. Until it is opened
    /// again, or [discarded](Self::discard), its frames have the outcome that its port's `no_socket` sets.
    fn release(&mut self, slot: LinkSlot, handle: Self::Handle) -> impl Future<Output = ()>;

    /// Gives up a link that was released or could not be opened completely: nothing remains on it. Has no
    /// effect on any other link.
    fn discard(&mut self, ifindex: IfIndex);
}

/// The end of an operation of a backend, or a change that it detected.
#[derive(Debug)]
pub enum BackendEvent<H, E> {
    /// An opening has ended.
    Opened {
        /// The link that was to be opened.
        ifindex: IfIndex,
        /// The open link and the owner of each of its queues. After an error the reconciler tries again
        /// later.
        outcome: Result<(H, Vec<WorkerId>), E>,
    },
    /// The number of queues that a link has in use, which the kernel does not announce.
    QueueCounts {
        /// The link that was counted.
        ifindex: IfIndex,
        /// Number of RX queues in use.
        rx: u16,
        /// Number of TX queues in use.
        tx: u16,
    },
    /// An open link differs from what was opened, and has to be opened again.
    Lost {
        /// The link that differs.
        ifindex: IfIndex,
        /// The difference that was detected.
        reason: LostReason,
    },
}

/// Why an open link has to be opened again.
#[derive(Debug, thiserror::Error)]
pub enum LostReason {
    /// The XDP program or its pin is not as it was attached.
    #[error(transparent)]
    Program(#[from] ProgramChange),
    /// The kernel has unbound the sockets, which it does when a link is removed or moved to another
    /// namespace.
    #[error("its sockets are no longer bound: the link was away")]
    SocketsUnbound,
}
