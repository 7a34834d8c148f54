//! Changes of ports and links as lines of the log. The lines of a second are limited, because a guest can
//! switch its end of a link off and on at any rate.

use std::collections::BTreeMap;

use super::links::Link;
use crate::tables::PortState;
use crate::types::{Id, Segmentation};

/// Upper bound of the lines in a second. Further ones are counted.
const MAX_LINES: u32 = 20;

/// Writes changes of ports and links to the log.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    ports: BTreeMap<Id, PortRecord>,
    /// Lines written in this second.
    lines: u32,
    /// Lines of this second that were not written.
    left_out: u64,
}

/// The properties of a port in the tables whose changes are logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PortRecord {
    pub(super) state: PortState,
    /// For a subport: its parent's id and its tag there.
    pub(super) parent: Option<(Id, Segmentation)>,
    pub(super) has_port_security: bool,
}

impl EventLog {
    /// Logs the difference of a port to its last record. `now` is `None` if it is not in the tables.
    pub(super) fn log_port(&mut self, lport: &Id, now: Option<PortRecord>) {
        let change = describe(self.ports.get(lport), now.as_ref());
        match now {
            Some(now) => drop(self.ports.insert(lport.clone(), now)),
            None => drop(self.ports.remove(lport)),
        }
        if let Some(change) = change
            && self.count_line()
        {
            tracing::info!(lport = lport.as_str(), "{change}");
        }
    }

    /// Logs the differences of a link of a port. `now` is `None` if it was removed.
    pub(super) fn log_link(&mut self, before: &Link, now: Option<&Link>) {
        if let Some(change) = describe_link(before, now)
            && self.count_line()
        {
            tracing::info!(link = before.name, "{change}");
        }
    }

    /// Allows as many lines again, and logs the number of those that were left out. Called once a second.
    pub(super) fn start_second(&mut self) {
        self.lines = 0;
        let left_out = std::mem::take(&mut self.left_out);
        if left_out > 0 {
            tracing::info!("{left_out} more changes of ports and links in the last second");
        }
    }

    /// Counts a line. Returns whether it may be written.
    const fn count_line(&mut self) -> bool {
        let has_room = self.lines < MAX_LINES;
        if has_room {
            self.lines += 1;
        } else {
            self.left_out += 1;
        }
        has_room
    }
}

fn describe(before: Option<&PortRecord>, now: Option<&PortRecord>) -> Option<String> {
    match (before, now) {
        (None, None) => None,
        (None, Some(now)) => {
            let parent = now.parent.as_ref().map(|parent| format!(", {}", place(Some(parent))));
            let security = if now.has_port_security { "" } else { ", without port security" };
            Some(format!("port {}{}{security}", now.state, parent.unwrap_or_default()))
        }
        (Some(_), None) => Some("port gone".to_owned()),
        (Some(before), Some(now)) => {
            let state = format!("port {} -> {}", before.state, now.state);
            let parent = format!("{} -> {}", place(before.parent.as_ref()), place(now.parent.as_ref()));
            let security = format!("port security {}", if now.has_port_security { "on" } else { "off" });
            join([
                (before.state != now.state, state),
                (before.parent != now.parent, parent),
                (before.has_port_security != now.has_port_security, security),
            ])
        }
    }
}

fn describe_link(before: &Link, now: Option<&Link>) -> Option<String> {
    let Some(now) = now else { return Some("link gone".to_owned()) };
    join([
        (before.name != now.name, format!("link renamed to {}", now.name)),
        (before.up != now.up, format!("link switched {}", if now.up { "on" } else { "off" })),
        (before.carrier != now.carrier, format!("carrier {}", if now.carrier { "back" } else { "lost" })),
        (before.mtu != now.mtu, format!("MTU {} -> {}", before.mtu, now.mtu)),
    ])
}

/// Joins the texts of changes; `None` if there is no change.
fn join(changes: impl IntoIterator<Item = (bool, String)>) -> Option<String> {
    let texts: Vec<_> = changes.into_iter().filter_map(|(changed, text)| changed.then_some(text)).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

fn place(parent: Option<&(Id, Segmentation)>) -> String {
    match parent {
        Some((parent, Segmentation::Vlan(vid))) => format!("vlan {vid} of {parent}"),
        None => "no subport".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::links::test_link;
    use crate::types::VlanId;

    fn record(state: PortState, vid: Option<u16>, has_port_security: bool) -> PortRecord {
        let parent = vid.map(|vid| ("vm".into(), Segmentation::Vlan(VlanId::new(vid).unwrap())));
        PortRecord { state, parent, has_port_security }
    }

    #[test]
    fn a_line_has_the_state_before_and_after() {
        use PortState::{LinkDown, Up};
        let line =
            |before: Option<PortRecord>, now: Option<PortRecord>| describe(before.as_ref(), now.as_ref());
        let port = |state| Some(record(state, None, true));
        assert_eq!(line(None, None), None);
        assert_eq!(line(port(Up), port(Up)), None);
        assert_eq!(line(None, port(Up)).unwrap(), "port up");
        assert_eq!(line(port(Up), None).unwrap(), "port gone");
        assert_eq!(line(port(Up), port(LinkDown)).unwrap(), "port up -> link down");
        let insecure = |vid| Some(record(Up, Some(vid), false));
        assert_eq!(line(None, insecure(100)).unwrap(), "port up, vlan 100 of vm, without port security");
        assert_eq!(line(insecure(100), insecure(101)).unwrap(), "vlan 100 of vm -> vlan 101 of vm");
        let secure = Some(record(LinkDown, Some(100), true));
        assert_eq!(line(insecure(100), secure).unwrap(), "port up -> link down, port security on");
    }

    #[test]
    fn a_line_about_a_link_has_all_that_changed() {
        let before = test_link(1, "tap1", None);
        let now = Link { carrier: false, mtu: 9000, ..before.clone() };
        assert_eq!(describe_link(&before, Some(&now)).unwrap(), "carrier lost, MTU 1500 -> 9000");
        assert_eq!(describe_link(&before, Some(&before)), None);
        assert_eq!(describe_link(&before, None).unwrap(), "link gone");
    }

    #[test]
    fn the_lines_of_a_second_are_limited_and_the_rest_is_counted() {
        let mut log = EventLog::default();
        let granted = (0..2 * MAX_LINES).filter(|_| log.count_line()).count();
        assert_eq!((granted, log.left_out), (MAX_LINES as usize, u64::from(MAX_LINES)));
        log.start_second();
        assert!(log.count_line());
        assert_eq!(log.left_out, 0);
    }
}
