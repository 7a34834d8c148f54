//! A look at links that are open or should be: what was recorded at the opening may no longer be true.

use crate::control::devices::DeviceEvent;
use crate::control::links::Link;
use crate::kernel::AttachedProgram;
use crate::kernel::inspect::{self, QueueCounts};

/// What to look at.
#[derive(Debug, Default)]
pub(in crate::control) struct Look {
    /// Links as they are known, whose queues are counted: a tap gets another one for each that its VM opens, and nothing
    /// announces that.
    pub(in crate::control) links: Vec<Link>,
    /// The programs of open links.
    pub(in crate::control) programs: Vec<AttachedProgram>,
}

impl Look {
    /// Looks, and passes what was found to `found`.
    pub(super) fn take<H>(self, found: impl Fn(DeviceEvent<H>)) {
        for Link { ifindex, name, rx_queues, tx_queues, .. } in self.links {
            let known = QueueCounts { rx: rx_queues, tx: tx_queues };
            if let Some(QueueCounts { rx, tx }) =
                inspect::queue_counts(&name, ifindex).filter(|counted| *counted != known)
            {
                found(DeviceEvent::Queues { ifindex, rx, tx });
            }
        }
        for program in self.programs {
            if let Err(change) = program.verify() {
                found(DeviceEvent::Lost { ifindex: program.ifindex(), reason: change.to_string() });
            }
        }
    }
}
