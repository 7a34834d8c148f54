//! A look at links that are open or should be: what was recorded at the opening may no longer be true.

use crate::control::devices::DeviceEvent;
use crate::kernel::AttachedProgram;
use crate::kernel::inspect::{self, QueueCounts};
use crate::types::IfIndex;

/// The queues of a link, as far as known.
#[derive(Debug)]
pub(in crate::control) struct KnownQueues {
    pub(in crate::control) ifindex: IfIndex,
    pub(in crate::control) name: String,
    pub(in crate::control) counts: QueueCounts,
}

/// What to look at.
#[derive(Debug, Default)]
pub(in crate::control) struct Look {
    /// Links whose queues are counted: a tap gets another one for each that its VM opens, and nothing announces that.
    pub(in crate::control) queues: Vec<KnownQueues>,
    /// The programs of open links.
    pub(in crate::control) programs: Vec<AttachedProgram>,
}

impl Look {
    /// Looks, and passes what was found to `found`.
    pub(super) fn take<H>(self, found: impl Fn(DeviceEvent<H>)) {
        for KnownQueues { ifindex, name, counts } in self.queues {
            if let Some(QueueCounts { rx, tx }) =
                inspect::queues(&name, ifindex).filter(|counted| *counted != counts)
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
