//! What the records say: who is whose subport, who is up, how a port is reached.

use crate::scenario::{Link, Scenario, Segmentation};

/// Tags in front of a frame, at the most.
const MAX_TAGS: usize = 8;

/// What a VID means on a port.
#[derive(Debug)]
pub enum Tag {
    /// Nothing: the frame is the port's own.
    Nothing,
    /// The subport whose frame it is.
    Subport(String),
    /// It is spoken for, but by nobody who could get it.
    Unusable,
}

/// The way from the host to a port.
#[derive(Debug)]
pub struct Path {
    /// The port whose link it is.
    pub link: String,
    /// The tags, from the outermost on.
    pub vids: Vec<u16>,
}

/// The port that untagged frames of a link belong to. A subport has no link of its own: it is where its parent is.
pub fn port_of_link<'a>(scenario: &Scenario, link: &'a Link) -> Option<&'a str> {
    let port = link.port.as_str();
    (is_known(scenario, port) && parent_of(scenario, port).is_none()).then_some(port)
}

/// What `vid` means on `parent`.
pub fn meaning(scenario: &Scenario, parent: &str, vid: u16) -> Tag {
    let is_here = |segmentation: &Segmentation| segmentation.parent == parent && segmentation.vid == vid;
    if let Some(segmentation) = in_force(scenario).into_iter().find(|segmentation| is_here(segmentation)) {
        let child = &segmentation.port;
        if is_known(scenario, child) && path(scenario, child).is_some() {
            return Tag::Subport(child.clone());
        }
    }
    if scenario.segmentations.values().any(is_here) { Tag::Unusable } else { Tag::Nothing }
}

/// Whether a port sends and receives: it and all above it are enabled and have a network, and its link is up.
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

/// How a port is reached; `None` for one that is not on this host, or below too many others, or below itself.
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

/// The segmentations that hold: in the order of their ids, each whose ports exist and whose tag and child are free.
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

/// Whether the port exists and its `unique_key` is its own: of two with one key, the one with the lower id.
fn is_known(scenario: &Scenario, port: &str) -> bool {
    let Some(record) = scenario.ports.get(port) else { return false };
    scenario.ports.iter().find(|(_, other)| other.key == record.key).is_some_and(|(id, _)| id == port)
}

/// The same for a network.
fn has_network(scenario: &Scenario, network: &str) -> bool {
    let Some(key) = scenario.networks.get(network) else { return false };
    scenario.networks.iter().find(|(_, other)| *other == key).is_some_and(|(id, _)| id == network)
}
