//! Frames that guests send by mistake: with tags that no segmentation has, or with source addresses that port
//! security rejects.

use std::fmt::Display;
use std::time::Duration;

use super::daemon::Daemon;
use crate::api::model::{RefusedMacView, UnknownTagView};
use crate::nb::LogicalPort;
use crate::packet::{ETHERTYPE_DOT1Q, TagId};
use crate::tables::{RECENT, Sighting};
use crate::types::{MacAddr, Problem, Segmentation, UnknownTags, shorten};
use crate::worker::monotonic_ns;

/// Upper bound of the values in a message.
const MAX_NAMED: usize = 4;

impl Daemon {
    /// The unknown tags of frames from the port.
    pub(super) fn unknown_tags_view(&self, lport: &str) -> Vec<UnknownTagView> {
        let now = monotonic_ns();
        let view = |seen: Sighting<TagId>| UnknownTagView {
            tpid: format!("{:#06x}", seen.value.tpid),
            vid: seen.value.vid,
            frames: seen.frames,
            seconds_ago: age(&seen, now).as_secs(),
        };
        self.unknown_tags(lport).into_iter().map(view).collect()
    }

    /// The MAC addresses that port security rejected at the port.
    pub(super) fn refused_macs_view(&self, lport: &str) -> Vec<RefusedMacView> {
        let now = monotonic_ns();
        let view = |seen: Sighting<MacAddr>| RefusedMacView {
            mac: seen.value,
            frames: seen.frames,
            seconds_ago: age(&seen, now).as_secs(),
        };
        self.refused_macs(lport).into_iter().map(view).collect()
    }

    /// A problem for each port with such a frame in the last minute.
    pub(super) fn sighting_problems(&self) -> Vec<Problem> {
        let now = monotonic_ns();
        let of_port = |lport: &str| {
            let port = self.reconciler.compiler.northbound().lports().get(lport)?;
            // Without segmentations the tags of a guest have no meaning for the switch.
            let tags = self.tags_of(lport).and_then(|has| {
                let outcome = self.reconciler.config.policy.unknown_tags.of(lport, &port.lswitch);
                tags_problem(port, &has, outcome, &self.unknown_tags(lport), now)
            });
            let macs = self.sources_of(lport);
            let macs = macs.and_then(|may_use| macs_problem(port, &may_use, &self.refused_macs(lport), now));
            Some(tags.into_iter().chain(macs))
        };
        self.reconciler.compiler.reports().filter_map(|(lport, _)| of_port(lport)).flatten().collect()
    }

    /// The unknown tags, without those that a segmentation has since then.
    fn unknown_tags(&self, lport: &str) -> Vec<Sighting<TagId>> {
        let compiler = &self.reconciler.compiler;
        let mut seen =
            compiler.counters().get(lport).map(|counters| counters.unknown_tags()).unwrap_or_default();
        seen.retain(|seen| {
            let TagId { tpid, vid } = seen.value;
            let mut tags = compiler.northbound().tags_of(lport);
            tpid != ETHERTYPE_DOT1Q || !tags.any(|(Segmentation::Vlan(tag), _)| tag.get() == vid)
        });
        seen
    }

    /// The rejected addresses, without those that the port may use since then.
    fn refused_macs(&self, lport: &str) -> Vec<Sighting<MacAddr>> {
        let compiler = &self.reconciler.compiler;
        let allowed = compiler.northbound().lports().get(lport).and_then(LogicalPort::allowed_sources);
        let mut seen =
            compiler.counters().get(lport).map(|counters| counters.refused_macs()).unwrap_or_default();
        seen.retain(|seen| allowed.is_some_and(|allowed| !allowed.has(seen.value)));
        seen
    }

    /// The tags of the port's segmentations; `None` if it has none.
    pub(super) fn tags_of(&self, lport: &str) -> Option<String> {
        let tags =
            self.reconciler.compiler.northbound().tags_of(lport).map(|(Segmentation::Vlan(vid), _)| vid);
        list(tags)
    }

    /// The source addresses that port security allows; `None` without port security.
    pub(super) fn sources_of(&self, lport: &str) -> Option<String> {
        let port = self.reconciler.compiler.northbound().lports().get(lport)?;
        Some(list(port.allowed_sources()?.macs()).unwrap_or_else(|| "none".to_owned()))
    }
}

fn tags_problem(
    port: &LogicalPort,
    has: &str,
    outcome: UnknownTags,
    seen: &[Sighting<TagId>],
    now: u64,
) -> Option<Problem> {
    let outcome = match outcome {
        UnknownTags::Pass => "such frames stay on its own network, with the tag",
        UnknownTags::Drop => "such frames are dropped",
    };
    let reason = format!(
        "{} sends {}; it has {has}; {outcome} -> use a VLAN that it has, or `trunkpath nb add-subport {} PORT VID`",
        name(port),
        list_recent(seen, now)?,
        shorten(&port.id),
    );
    Some(Problem::new(format!("lport {}", port.id), reason))
}

fn macs_problem(port: &LogicalPort, may_use: &str, seen: &[Sighting<MacAddr>], now: u64) -> Option<Problem> {
    let reason = format!(
        "{} sends as {}, which port security drops; it may use {may_use} -> correct the address in the guest, or add it to `allowed_address_pairs`",
        name(port),
        list_recent(seen, now)?,
    );
    Some(Problem::new(format!("lport {}", port.id), reason))
}

fn name(port: &LogicalPort) -> String {
    if port.name.is_empty() { "the port".to_owned() } else { shorten(&port.name).into_owned() }
}

fn list_recent<V: Display>(seen: &[Sighting<V>], now: u64) -> Option<String> {
    let recent = seen.iter().filter(|seen| age(seen, now) < RECENT);
    list(recent.map(|seen| {
        let frames = if seen.frames == 1 { "frame" } else { "frames" };
        format!("{} ({} {frames}, {} s ago)", seen.value, seen.frames, age(seen, now).as_secs())
    }))
}

fn age<V>(seen: &Sighting<V>, now: u64) -> Duration {
    Duration::from_nanos(now.saturating_sub(seen.last_seen))
}

/// The first [`MAX_NAMED`] items and the number of the others; `None` if there are no items.
fn list(items: impl Iterator<Item = impl Display>) -> Option<String> {
    let mut items = items.map(|item| item.to_string());
    let named: Vec<_> = items.by_ref().take(MAX_NAMED).collect();
    let more = items.count();
    match (named.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(named.join(", ")),
        (false, more) => Some(format!("{} and {more} more", named.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::nb::{Change, Northbound, Record, Table};

    const SECOND: u64 = 1_000_000_000;
    const NOW: u64 = 100 * SECOND;

    fn port() -> LogicalPort {
        let json = json!({"id": "p", "unique_key": 1, "lswitch": "n", "name": "vm"});
        let mut nb = Northbound::default();
        let edit = nb.edit(&Change::Put(Record { table: Table::Lport, id: "p".into(), json })).unwrap();
        nb.make(edit);
        nb.lports().get("p").unwrap().clone()
    }

    fn seen(vid: u16, frames: u64, seconds_ago: u64) -> Sighting<TagId> {
        let value = TagId { tpid: ETHERTYPE_DOT1Q, vid };
        Sighting { value, frames, last_seen: NOW - seconds_ago * SECOND }
    }

    #[test]
    fn a_wrong_vlan_is_named_with_those_that_the_port_has() {
        let sent = [seen(101, 12, 2), seen(7, 5, 61), seen(102, 1, 59)];
        let problem = tags_problem(&port(), "100, 200", UnknownTags::Pass, &sent, NOW).unwrap();
        assert_eq!(
            problem.to_string(),
            "lport p: vm sends VLAN 101 (12 frames, 2 s ago), VLAN 102 (1 frame, 59 s ago); it has 100, 200; such frames stay on its own network, with the tag -> use a VLAN that it has, or `trunkpath nb add-subport p PORT VID`"
        );
    }

    #[test]
    fn a_minute_later_it_is_no_problem_any_more() {
        assert_eq!(tags_problem(&port(), "100", UnknownTags::Drop, &[seen(101, 12, 60)], NOW), None);
        assert_eq!(macs_problem(&port(), "02:00:00:00:00:01", &[], NOW), None);
    }

    #[test]
    fn lists_are_short() {
        assert_eq!(list(1..4095).unwrap(), "1, 2, 3, 4 and 4090 more");
        assert_eq!(list(100..101).unwrap(), "100");
    }
}
