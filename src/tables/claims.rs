//! The port at the root of nested segmentations, and segmentations that are invalid.

use std::collections::{BTreeMap, BTreeSet};

use super::MAX_NESTING;
use crate::nb::{ChildPortSegmentation, Northbound};
use crate::types::Problem;

/// The outermost parent of `lport`, which owns its link: `lport` itself if it is no subport. `None` when more
/// than [`MAX_NESTING`] + 1 parents are above it, as in a loop. The one level over the limit is for the
/// message of the problem, which names the port there.
pub(super) fn root_of<'a>(nb: &'a Northbound, lport: &'a str) -> Option<&'a str> {
    let mut at = lport;
    for _ in 0..=MAX_NESTING + 1 {
        match nb.segmentation_above(at) {
            Some(segmentation) => at = &segmentation.parent,
            None => return Some(at),
        }
    }
    None
}

/// The problem of a segmentation that has no effect.
pub(super) fn problem(nb: &Northbound, segmentation: &ChildPortSegmentation) -> Problem {
    let reason = if nb.holds(segmentation) {
        format!(
            "port {} has no link, because the ports above it form a loop: remove one segmentation of the loop",
            segmentation.port,
        )
    } else {
        why_waiting(nb, segmentation)
    };
    Problem::new(format!("child_port_segmentation {}", segmentation.id), reason)
}

/// The segmentations that have no effect: another record holds what they claim, or they form a loop.
pub(super) fn ineffective(nb: &Northbound) -> impl Iterator<Item = &ChildPortSegmentation> {
    let looped = looped(nb);
    let segmentations = nb.segmentations().values();
    segmentations.filter(move |segmentation| !nb.holds(segmentation) || looped.contains(&*segmentation.port))
}

/// The subports in a loop and below one. Visits each port once.
fn looped(nb: &Northbound) -> BTreeSet<&str> {
    let mut is_looped: BTreeMap<&str, bool> = BTreeMap::new();
    for segmentation in nb.segmentations().values() {
        let mut path = Vec::new();
        let mut at: &str = &segmentation.port;
        let outcome = loop {
            if let Some(known) = is_looped.get(at) {
                break *known;
            }
            // Provisional: a path that reaches this port again before the outcome is known is a loop.
            is_looped.insert(at, true);
            path.push(at);
            match nb.segmentation_above(at) {
                Some(above) => at = &above.parent,
                None => break false,
            }
        };
        is_looped.extend(path.into_iter().map(|port| (port, outcome)));
    }
    is_looped.into_iter().filter_map(|(port, looped)| looped.then_some(port)).collect()
}

/// The reason why a segmentation is not in force.
fn why_waiting(nb: &Northbound, segmentation: &ChildPortSegmentation) -> String {
    let ChildPortSegmentation { id, parent, port, segmentation: tag } = segmentation;
    let missing = |role: &str, lport: &str| {
        format!(
            "waits for its {role} {lport}, which table lport does not have: create it or remove the segmentation"
        )
    };
    if parent == port {
        return format!("port {port} cannot be its own subport: name another parent");
    }
    if !nb.lports().contains_key(parent) {
        return missing("parent", parent);
    }
    if !nb.lports().contains_key(port) {
        return missing("port", port);
    }
    if let Some(other) = nb.segmentation_above(port).filter(|other| other.id != *id) {
        return format!(
            "port {port} is a subport of {} by segmentation {} already, and a port belongs to one at most: remove one of the two",
            other.parent, other.id,
        );
    }
    let holder = nb.segmentation_with(parent, *tag).map_or("another port", |other| &other.port);
    format!(
        "{tag} of parent {parent} belongs to {holder} already, so port {port} receives no frames: give it another tag or remove one of the two"
    )
}
