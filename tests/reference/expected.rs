//! A switch with any of the listed differences: with none it is trunkpath, with all it is Open vSwitch. One
//! frame, one step after the other, nothing prepared.

use std::collections::BTreeSet;

use super::difference::Difference;
use super::frame_seen::FrameSeen;
use super::vswitch::Output;
use testkit::model::checksum;
use testkit::model::records::{self, Tag};
use testkit::scenario::{Port, Scenario};

/// Longest frame of a link, with all tags.
const LONGEST: usize = 1518;

/// Sends `bytes` into the link of `ingress`.
pub fn forward(scenario: &Scenario, ingress: &str, bytes: &[u8], with: &BTreeSet<Difference>) -> Output {
    let mut output = Output::new();
    let Some((source, mut frame)) = classify(scenario, ingress, bytes, with) else { return output };
    let is_station = bytes[6] & 1 == 0 && bytes[6..12] != [0; 6];
    if !is_station && !with.contains(&Difference::InvalidSourceForwarded) {
        return output;
    }
    let is_reserved = bytes[..5] == [0x01, 0x80, 0xc2, 0, 0] && bytes[5] < 16;
    if is_reserved && !with.contains(&Difference::ReservedFlooded) {
        return output;
    }
    for receiver in receivers(scenario, &source, frame.destination(), with) {
        if frame.is_disguised_for(scenario, receiver) && !with.contains(&Difference::DisguiseDelivered) {
            continue;
        }
        let path = records::path(scenario, receiver).expect("every port of these worlds is here");
        let untouched = frame.clone();
        for vid in path.vids.into_iter().rev() {
            if with.contains(&Difference::TagOverwritten) { frame.overwrite(vid) } else { frame.push(vid) }
        }
        let comes_back = path.link == ingress && with.contains(&Difference::NoHairpin);
        if !comes_back {
            let mut bytes = frame.bytes();
            if !with.contains(&Difference::ChecksumLeftPartial) {
                checksum::complete(&mut bytes);
            }
            if bytes.len() <= LONGEST {
                output.entry(path.link).or_default().push(bytes);
            }
        }
        if !with.contains(&Difference::TagLeaks) {
            frame.restore(&untouched);
        }
    }
    output
}

/// Strips the tags that select subports: source port, and the rest of the frame.
fn classify(
    scenario: &Scenario,
    ingress: &str,
    bytes: &[u8],
    with: &BTreeSet<Difference>,
) -> Option<(String, FrameSeen)> {
    let mut source = ingress.to_owned();
    let mut frame = FrameSeen::new(bytes, with)?;
    loop {
        if frame.has_cut_tag() && !with.contains(&Difference::CutTagIsPayload) {
            return None;
        }
        let selects = |tpid| tpid == 0x8100 || with.contains(&Difference::ServiceTagSelects);
        let tag = frame.outermost_tag().filter(|(tpid, _)| selects(*tpid));
        match tag.map(|(_, tci)| records::meaning(scenario, &source, tci & 0x0fff)) {
            Some(Tag::Subport(subport)) => source = subport,
            Some(Tag::Nothing | Tag::Unusable) | None => return Some((source, frame)),
        }
        frame.strip();
    }
}

/// Receivers of a copy, in the order of port ids.
fn receivers<'a>(
    scenario: &'a Scenario,
    source: &str,
    destination: &[u8],
    with: &BTreeSet<Difference>,
) -> Vec<&'a str> {
    let network = &scenario.ports[source].network;
    let to_all = destination[0] & 1 == 1;
    let is_for = |port: &Port| to_all || port.macs.iter().any(|mac| mac == destination);
    let is_left_out = |id: &str| id == source && !with.contains(&Difference::SenderIsReceiver);
    let members = scenario.ports.iter().filter(|(_, port)| port.network == *network);
    members.filter(|(id, port)| is_for(port) && !is_left_out(id)).map(|(id, _)| id.as_str()).collect()
}
