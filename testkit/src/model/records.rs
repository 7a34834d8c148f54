//! Meaning of the records: parents and subports, state of ports, paths to ports.

use crate::scenario::{Link, Scenario, Segmentation};

/// Maximum number of tags in a path.
const MAX_TAGS: usize = 8;

/// Meaning of a VID on a port.
#[derive(Debug)]
pub enum Tag {
    /// Not claimed: the frame belongs to the port.
    Nothing,
    /// Claimed by this usable subport.
    Subport(String),
    /// Claimed, but by no subport that can be used.
    Unusable,
}

/// Path from the host to a port.
#[derive(Debug)]
pub struct Path {
    /// The port that has the link.
    pub link: String,
    /// Tags on the link, from the outermost on.
    pub vids: Vec<u16>,
}

/// The port that untagged frames of a link belong to. A subport uses the link of its parent.
pub fn port_of_link<'a>(scenario: &Scenario, link: &'a Link) -> Option<&'a str> {
    let port = link.port.as_str();
    (is_known(scenario, port) && parent_of(scenario, port).is_none()).then_some(port)
}

pub fn meaning(scenario: &Scenario, parent: &str, vid: u16) -> Tag {
    let is_here = |segmentation: &Segmentation| segmentation.parent == parent && segmentation.vid == vid;
    if let Some(segmentation) = in_force(scenario).into_iter().find(|segmentation| is_here(segmentation)) {
        let subport = &segmentation.port;
        if is_known(scenario, subport) && path(scenario, subport).is_some() {
            return Tag::Subport(subport.clone());
        }
    }
    if scenario.segmentations.values().any(is_here) { Tag::Unusable } else { Tag::Nothing }
}

/// Whether a port sends and receives: it and all its ancestors are enabled and have a network, and its link
/// is up.
pub fn is_up(scenario: &Scenario, port: &str) -> bool {
    let usable = |port: &str| {
        let record = &scenario.ports[port];
        is_known(scenario, port) && record.enabled && has_network(scenario, &record.network)
    };
    let Some(path) = path(scenario, port) else { return false };
    let link_is_up = scenario.links.iter().any(|link| link.port == path.link && link.up);
    let mut above =
        std::iter::successors(Some(port), |port| parent_of(scenario, port).map(|s| s.parent.as_str()));
    link_is_up && above.all(usable)
}

/// The path to a port; `None` for one that is not on this host, has too many ancestors, or is in a loop.
pub fn path(scenario: &Scenario, port: &str) -> Option<Path> {
    let mut vids = Vec::new();
    let mut root = port;
    while let Some(segmentation) = parent_of(scenario, root) {
        vids.insert(0, segmentation.vid);
        root = &segmentation.parent;
        if vids.len() > MAX_TAGS || !is_known(scenario, root) {
            return None;
        }
    }
    let has_link = scenario.links.iter().any(|link| link.port == root);
    has_link.then(|| Path { link: root.to_owned(), vids })
}

/// The segmentation that makes `port` a subport.
fn parent_of<'a>(scenario: &'a Scenario, port: &str) -> Option<&'a Segmentation> {
    in_force(scenario).into_iter().find(|segmentation| segmentation.port == port)
}

/// The segmentations in force: in the order of their ids, each whose ports exist and whose tag and subport no
/// earlier one claims.
fn in_force(scenario: &Scenario) -> Vec<&Segmentation> {
    let mut holders: Vec<&Segmentation> = Vec::new();
    for segmentation in scenario.segmentations.values() {
        let Segmentation { parent, port, vid } = segmentation;
        let exist =
            scenario.ports.contains_key(parent) && scenario.ports.contains_key(port) && parent != port;
        let taken =
            holders.iter().any(|held| (&held.parent, held.vid) == (parent, *vid) || held.port == *port);
        if exist && !taken {
            holders.push(segmentation);
        }
    }
    holders
}

/// Whether the port exists and holds its `unique_key`: of two with the same key, the lower id does.
fn is_known(scenario: &Scenario, port: &str) -> bool {
    let Some(record) = scenario.ports.get(port) else { return false };
    scenario.ports.iter().find(|(_, other)| other.key == record.key).is_some_and(|(id, _)| id == port)
}

/// Whether the network exists and holds its `unique_key`.
fn has_network(scenario: &Scenario, network: &str) -> bool {
    let Some(key) = scenario.networks.get(network) else { return false };
    scenario.networks.iter().find(|(_, other)| *other == key).is_some_and(|(id, _)| id == network)
}
