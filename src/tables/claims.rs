//! Where subports hang, and what is wrong with segmentations.

use std::collections::{BTreeMap, BTreeSet};

use super::MAX_NESTING;
use crate::nb::{ChildPortSegmentation, Northbound};
use crate::types::Problem;

/// The port that `lport` hangs under in the end: itself, if it is no subport. `None` when more ports are above it than
/// a link takes, as in a loop. One level more than is allowed is found, for the port there is named in a problem.
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

/// What is wrong with the segmentations of `nb`.
pub(super) fn problems(nb: &Northbound) -> Vec<Problem> {
    let looped = looped(nb);
    let mut problems = Vec::new();
    for segmentation in nb.segmentations().values() {
        let reason = if !nb.holds(segmentation) {
            Some(why_waiting(nb, segmentation))
        } else if looped.contains(&*segmentation.port) {
            Some(format!(
                "port {} hangs on no device, for the ports above it form a loop: remove one segmentation of the loop",
                segmentation.port,
            ))
        } else {
            None
        };
        let about = || format!("child_port_segmentation {}", segmentation.id);
        problems.extend(reason.map(|reason| Problem::new(about(), reason)));
    }
    problems
}

/// The subports in a loop and below one. Looks at each port once.
fn looped(nb: &Northbound) -> BTreeSet<&str> {
    let mut is_looped: BTreeMap<&str, bool> = BTreeMap::new();
    for segmentation in nb.segmentations().values() {
        let mut path = Vec::new();
        let mut at: &str = &segmentation.port;
        let outcome = loop {
            if let Some(known) = is_looped.get(at) {
                break *known;
            }
            // Until the outcome is known. Who meets it meanwhile came round to it.
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

/// Why a segmentation does not hold.
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
        "{tag} of parent {parent} is {holder}'s already, so port {port} gets no frames: give it another tag or remove one of the two"
    )
}
