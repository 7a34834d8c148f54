//! The periodic check of links that are open or should be: the kernel does not announce every change of them.

use std::sync::Arc;

use crate::control::backend::{BackendEvent, LostReason};
use crate::control::links::Link;
use crate::kernel::AttachedProgram;
use crate::kernel::inspect::{self, QueueCounts};

/// The state that the kernel's is compared with.
#[derive(Debug, Default)]
pub(in crate::control) struct LinkCheck {
    /// Links whose queues are counted: a tap gets another one for each that its VM opens, which is not
    /// announced.
    pub(in crate::control) links: Vec<Arc<Link>>,
    /// The programs of open links, as they were attached.
    pub(in crate::control) programs: Vec<AttachedProgram>,
}

impl LinkCheck {
    /// Compares, and passes each difference to `report`. May wait for the RTNL lock.
    pub(super) fn run<H, E>(self, report: impl Fn(BackendEvent<H, E>)) {
        for link in self.links {
            let Link { ifindex, ref name, rx_queues, tx_queues, .. } = *link;
            let known = QueueCounts { rx: rx_queues, tx: tx_queues };
            if let Some(QueueCounts { rx, tx }) =
                inspect::queue_counts(name, ifindex).filter(|counted| *counted != known)
            {
                report(BackendEvent::QueueCounts { ifindex, rx, tx });
            }
        }
        for program in self.programs {
            if let Err(change) = program.verify() {
                report(BackendEvent::Lost {
                    ifindex: program.ifindex(),
                    reason: LostReason::Program(change),
                });
            }
        }
    }
}
