//! What the records say: who is whose subport, who is up, how a port is reached.

use crate::world::{Link, Segmentation, World};

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
pub fn port_of_link<'a>(world: &World, link: &'a Link) -> Option<&'a str> {
    let port = link.port.as_str();
    (is_known(world, port) && parent_of(world, port).is_none()).then_some(port)
}

/// What `vid` means on `parent`.
pub fn meaning(world: &World, parent: &str, vid: u16) -> Tag {
    let is_here = |segmentation: &Segmentation| segmentation.parent == parent && segmentation.vid == vid;
    if let Some(segmentation) = in_force(world).into_iter().find(|segmentation| is_here(segmentation)) {
        let child = &segmentation.port;
        if is_known(world, child) && path(world, child).is_some() {
            return Tag::Subport(child.clone());
        }
    }
    if world.segmentations.values().any(is_here) { Tag::Unusable } else { Tag::Nothing }
}

/// Whether a port sends and receives: it and all above it are enabled and have a network, and its link is up.
pub fn is_up(world: &World, port: &str) -> bool {
    let usable = |port: &str| {
        let record = &world.ports[port];
        is_known(world, port) && record.enabled && has_network(world, &record.network)
    };
    let Some(path) = path(world, port) else { return false };
    let link_is_up = world.links.iter().any(|link| link.port == path.link && link.up);
    let mut above =
        std::iter::successors(Some(port), |port| parent_of(world, port).map(|s| s.parent.as_str()));
    link_is_up && above.all(usable)
}

/// How a port is reached; `None` for one that is not on this host, or below too many others, or below itself.
pub fn path(world: &World, port: &str) -> Option<Path> {
    let mut vids = Vec::new();
    let mut root = port;
    while let Some(segmentation) = parent_of(world, root) {
        vids.insert(0, segmentation.vid);
        root = &segmentation.parent;
        if vids.len() > MAX_TAGS || !is_known(world, root) {
            return None;
        }
    }
    let has_link = world.links.iter().any(|link| link.port == root);
    has_link.then(|| Path { link: root.to_owned(), vids })
}

/// The segmentation that makes `port` a subport.
fn parent_of<'a>(world: &'a World, port: &str) -> Option<&'a Segmentation> {
    in_force(world).into_iter().find(|segmentation| segmentation.port == port)
}

/// The segmentations that hold: in the order of their ids, each whose ports exist and whose tag and child are free.
fn in_force(world: &World) -> Vec<&Segmentation> {
    let mut holders: Vec<&Segmentation> = Vec::new();
    for segmentation in world.segmentations.values() {
        let Segmentation { parent, port, vid } = segmentation;
        let exist = world.ports.contains_key(parent) && world.ports.contains_key(port) && parent != port;
        let taken =
            holders.iter().any(|held| (&held.parent, held.vid) == (parent, *vid) || held.port == *port);
        if exist && !taken {
            holders.push(segmentation);
        }
    }
    holders
}

/// Whether the port exists and its `unique_key` is its own: of two with one key, the one with the lower id.
fn is_known(world: &World, port: &str) -> bool {
    let Some(record) = world.ports.get(port) else { return false };
    world.ports.iter().find(|(_, other)| other.key == record.key).is_some_and(|(id, _)| id == port)
}

/// The same for a network.
fn has_network(world: &World, network: &str) -> bool {
    let Some(key) = world.networks.get(network) else { return false };
    world.networks.iter().find(|(_, other)| *other == key).is_some_and(|(id, _)| id == network)
}
