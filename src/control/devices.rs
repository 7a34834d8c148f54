//! Taking links, as far as the reconcile path knows of it.

use std::future::Future;

use super::links::Link;
use crate::config::PortOptions;
use crate::tables::{LinkSlot, WorkerId};
use crate::types::IfIndex;
use crate::worker::WorkerPoolError;

/// What makes a link ours. `AfXdp` does it; where no frame is to flow, something simpler may.
pub trait Devices {
    /// What it takes to let a link go again.
    type Handle;

    /// Takes `link`, which gets the place `slot` in the tables. Frames do not flow yet. Returns the worker of each of
    /// its queues.
    ///
    /// # Errors
    /// Why it cannot be had, for people. It is tried again later.
    fn take(
        &mut self,
        link: &Link,
        slot: LinkSlot,
        options: PortOptions,
    ) -> Result<(Self::Handle, Vec<WorkerId>), String>;

    /// Lets frames flow. The tables that know the link are in force by now.
    ///
    /// # Errors
    /// A worker has died.
    fn connect(
        &mut self,
        slot: LinkSlot,
        handle: &mut Self::Handle,
    ) -> impl Future<Output = Result<(), WorkerPoolError>>;

    /// Lets no more frames flow. No table knows the link any more. Until it is taken again, or no longer
    /// [kept](Self::keep), its frames meet the policy of the port that it was.
    fn release(&mut self, slot: LinkSlot, handle: Self::Handle) -> impl Future<Output = ()>;

    /// Gives up the links that were released, or could only half be taken, unless they are `wanted`.
    fn keep(&mut self, wanted: impl Fn(IfIndex) -> bool);
}
