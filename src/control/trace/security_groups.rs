//! What a trace says of security groups.

use crate::control::daemon::Daemon;
use crate::datapath::Ground;
use crate::nb::{LogicalPort, SecurityGroup};
use crate::types::drop_reason::{Admit, Permit};
use crate::types::{Direction, DropReason, Id};

/// The step that judges packets in a direction.
pub(super) const fn step_of(direction: Direction) -> &'static str {
    match direction {
        Direction::Egress => "permit",
        Direction::Ingress => "admit",
    }
}

/// The direction of a packet that is dropped because no rule allows it.
pub(super) fn refused_direction(reason: DropReason) -> Option<Direction> {
    let refusals = [
        (DropReason::from(Permit::NoRule), Direction::Egress),
        (DropReason::from(Admit::NoRule), Direction::Ingress),
    ];
    refusals.into_iter().find(|(refusal, _)| *refusal == reason).map(|(_, direction)| direction)
}

impl Daemon {
    /// Why the packet may leave, or reach, the port.
    pub(super) fn explain_allowed(&self, lport: &str, direction: Direction, ground: Ground<'_>) -> String {
        let name = self.name_of(lport);
        let what = match direction {
            Direction::Egress => format!("{name} may send it"),
            Direction::Ingress => format!("{name} may receive it"),
        };
        match ground {
            Ground::Always => format!("{what}, whatever its security groups say"),
            Ground::Connection => format!("{what}: it belongs to a connection"),
            Ground::Rule(rule) => match self.group_with(lport, rule) {
                Some(group) => format!("{what}: rule {rule} of security group {}", group.label()),
                None => format!("{what}: rule {rule}"),
            },
        }
    }

    fn group_with(&self, lport: &str, rule: &Id) -> Option<&SecurityGroup> {
        let nb = self.reconciler.compiler.northbound();
        let groups = nb.lports().get(lport).into_iter().flat_map(LogicalPort::groups);
        let mut records = groups.filter_map(|group| nb.secgroups().get(group));
        records.find(|group| group.rules.iter().any(|known| known.id == *rule))
    }

    /// Why no rule lets the packet leave, or reach, the port.
    pub(super) fn explain_refused(&self, lport: &str, direction: Direction) -> String {
        let nb = self.reconciler.compiler.northbound();
        let name = self.name_of(lport);
        let groups = nb.lports().get(lport).map(LogicalPort::groups).unwrap_or_default();
        if groups.is_empty() {
            return format!("{name} has port security and no security group, so nothing is allowed");
        }
        let labels = groups.iter().map(|id| nb.secgroups().get(id).map(SecurityGroup::label).ok_or(id));
        match labels.collect::<Result<Vec<_>, _>>() {
            Err(missing) => format!("{name} waits for its security group {missing}, so nothing is allowed"),
            Ok(labels) => {
                let verb = match direction {
                    Direction::Egress => "send",
                    Direction::Ingress => "receive",
                };
                format!("no rule of {name}'s security groups ({}) lets it {verb} this", labels.join(", "))
            }
        }
    }
}
