//! The naive switch: the outcome of one frame by the specification, with nothing prepared. Slow, and written
//! to be checked by reading. It shares only names (drop reasons) with the real one.

pub mod checksum;
pub mod pairs;
pub mod records;

use trunkpath::types::DropReason;
use trunkpath::types::ReservedMulticast;
use trunkpath::types::drop_reason::{Admit, Classify, Flood, Locate};

use crate::scenario::{Port, Scenario};
pub use pairs::Holders;
use records::{Path, Tag};

/// Outcome of one received frame.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// The port on which the frame is counted as received.
    pub received_from: Option<String>,
    /// For each copy: the port whose link it leaves by, and its bytes.
    pub sent: Vec<(String, Vec<u8>)>,
    /// For each dropped copy, or for the frame as a whole: the port it is counted on, and the reason.
    pub dropped: Vec<(Option<String>, DropReason)>,
}

/// Source port of a frame, and the frame without the tags that selected it.
struct Classified {
    port: String,
    frame: Vec<u8>,
}

/// Sends `frame` into link number `link` of `scenario`, where `holders` have the addresses that several ports
/// claim.
pub fn forward(scenario: &Scenario, holders: &mut Holders, link: usize, frame: &[u8]) -> Outcome {
    let link = &scenario.links[link];
    let Some(root) = records::port_of_link(scenario, link) else {
        return Outcome {
            dropped: vec![(None, DropReason::Classify(Classify::NoPort))],
            ..Outcome::default()
        };
    };
    let classified = match classify(scenario, root, frame) {
        Ok(classified) => classified,
        Err((port, reason)) => return dropped(port, reason),
    };
    let source = &classified.frame[6..12];
    if source[0] & 1 == 1 || source == [0; 6] {
        return dropped(classified.port, DropReason::Locate(Locate::SourceInvalid));
    }
    holders.announce(scenario, &classified.port, source);
    let receivers = match receivers(scenario, holders, &classified) {
        Ok(receivers) => receivers,
        Err(reason) => return dropped(classified.port, reason),
    };
    let mut untouched = classified.frame;
    if link.complete_checksums {
        checksum::complete(&mut untouched);
    }
    let priority = outermost_tag(frame).map_or(0, |(_, tci)| tci & 0xf000);
    let (refusing, taking): (Vec<_>, Vec<_>) =
        receivers.into_iter().partition(|(port, _)| has_tag_of_another(scenario, port, &untouched));
    let sent =
        taking.iter().map(|(_, path)| (path.link.clone(), with_tags(&untouched, &path.vids, priority)));
    let dropped = refusing.into_iter().map(|(port, _)| (Some(port), DropReason::Admit(Admit::TagRefused)));
    Outcome { received_from: Some(classified.port), sent: sent.collect(), dropped: dropped.collect() }
}

fn dropped(port: String, reason: DropReason) -> Outcome {
    Outcome { received_from: Some(port.clone()), sent: Vec::new(), dropped: vec![(Some(port), reason)] }
}

/// Strips the tags that select subports, one level after the other.
fn classify(scenario: &Scenario, root: &str, frame: &[u8]) -> Result<Classified, (String, DropReason)> {
    let mut port = root.to_owned();
    let mut frame = frame.to_vec();
    loop {
        if is_truncated(&frame) {
            return Err((port, DropReason::Classify(Classify::Truncated)));
        }
        match meaning(scenario, &port, &frame) {
            Tag::Subport(subport) => {
                port = subport;
                frame = [&frame[..12], &frame[16..]].concat();
            }
            Tag::Unusable => return Err((port, DropReason::Classify(Classify::SubportUnusable))),
            Tag::Nothing if is_unwanted(scenario, &port, &frame) => {
                return Err((port, DropReason::Classify(Classify::UnknownTag)));
            }
            Tag::Nothing if records::is_up(scenario, &port) => return Ok(Classified { port, frame }),
            Tag::Nothing => return Err((port, DropReason::Classify(Classify::PortDown))),
        }
    }
}

/// Meaning of the outermost tag of a frame of `port`.
fn meaning(scenario: &Scenario, port: &str, frame: &[u8]) -> Tag {
    match outermost_tag(frame) {
        Some((0x8100, tci)) => records::meaning(scenario, port, tci & 0x0fff),
        _ => Tag::Nothing,
    }
}

/// Whether `port` drops unknown tags and the frame has one. A priority tag has no VID.
fn is_unwanted(scenario: &Scenario, port: &str, frame: &[u8]) -> bool {
    let is_vlan = outermost_tag(frame).is_some_and(|(tpid, tci)| (tpid, tci & 0x0fff) != (0x8100, 0));
    scenario.strict.contains(port) && is_vlan
}

/// Whether `port` would take the frame for one of a subport's, or drops its tag.
fn has_tag_of_another(scenario: &Scenario, port: &str, frame: &[u8]) -> bool {
    !matches!(meaning(scenario, port, frame), Tag::Nothing) || is_unwanted(scenario, port, frame)
}

/// Receivers and the paths to them, in the order of port ids.
fn receivers(
    scenario: &Scenario,
    holders: &Holders,
    classified: &Classified,
) -> Result<Vec<(String, Path)>, DropReason> {
    let address = &classified.frame[..6];
    let way = |(id, _): (&String, &Port)| Some((id.clone(), records::path(scenario, id)?));
    let network = &scenario.ports[&classified.port].network;
    let mut members =
        scenario.ports.iter().filter(|(id, port)| port.network == *network && records::is_up(scenario, id));
    if is_reserved(address) && scenario.reserved_multicast == ReservedMulticast::Drop {
        return Err(DropReason::Locate(Locate::Reserved));
    }
    if address[0] & 1 == 1 {
        let others = members.filter(|(id, _)| **id != classified.port);
        let paths: Vec<_> = others.filter_map(way).collect();
        return if paths.is_empty() { Err(DropReason::Flood(Flood::NoReceiver)) } else { Ok(paths) };
    }
    let own = members.find(|(_, port)| port.macs.iter().any(|mac| mac == address));
    let receiver = own.map(|(id, _)| id.clone()).or_else(|| holders.holder(scenario, network, address));
    match receiver {
        Some(id) if id == classified.port => Err(DropReason::Locate(Locate::IsSource)),
        Some(id) => Ok(way((&id, &scenario.ports[&id])).into_iter().collect()),
        None => Err(DropReason::Locate(Locate::Unknown)),
    }
}

/// Whether `address` is reserved for protocols that bridges do not forward (IEEE 802.1Q, table 8-1).
pub fn is_reserved(address: &[u8]) -> bool {
    address[..5] == [0x01, 0x80, 0xc2, 0, 0] && address[5] < 16
}

/// The frame with these 802.1Q tags, from the outermost on, in front of its own.
fn with_tags(frame: &[u8], vids: &[u16], priority: u16) -> Vec<u8> {
    let tags =
        vids.iter().flat_map(|vid| [0x81, 0x00, (priority | vid).to_be_bytes()[0], vid.to_be_bytes()[1]]);
    frame[..12].iter().copied().chain(tags).chain(frame[12..].iter().copied()).collect()
}

fn outermost_tag(frame: &[u8]) -> Option<(u16, u16)> {
    let word = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let tpid = word(12)?;
    if matches!(tpid, 0x8100 | 0x88a8) { Some((tpid, word(14)?)) } else { None }
}

/// Whether addresses, outermost tag or type are incomplete.
fn is_truncated(frame: &[u8]) -> bool {
    match frame.get(12..14) {
        Some([0x81, 0x00] | [0x88, 0xa8]) => frame.len() < 18,
        Some(_) => false,
        None => true,
    }
}
