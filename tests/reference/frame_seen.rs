//! A frame as a switch has parsed it.

use std::collections::BTreeSet;

use super::difference::Difference;
use testkit::model::records::{self, Tag};
use testkit::scenario::Scenario;

/// Size of both addresses, and below of a tag, in bytes.
const ADDRESSES: usize = 12;
const TAG: usize = 4;
/// Size of a tag and the type that follows, in bytes.
const TAG_AND_TYPE: usize = 6;
const DEI: u16 = 0x1000;

type TagBytes = (u16, u16);

#[derive(Debug, Clone)]
pub struct FrameSeen {
    addresses: Vec<u8>,
    /// Parsed tags from the outermost on: as they should be, and as they are in the frame.
    tags: Vec<TagBytes>,
    now: Vec<TagBytes>,
    rest: Vec<u8>,
    most_tags: usize,
    loses_priority: bool,
    /// PCP and DEI of tags that will be pushed.
    priority: u16,
}

impl FrameSeen {
    /// Parses a frame; `None` if it has no header.
    pub fn new(bytes: &[u8], with: &BTreeSet<Difference>) -> Option<Self> {
        let most_tags = if with.contains(&Difference::TwoTagsSeen) { 2 } else { usize::MAX };
        let loses_priority = with.contains(&Difference::PriorityLost);
        let (addresses, mut rest) = bytes.split_at_checked(ADDRESSES)?;
        let mut tags = Vec::new();
        while is_tpid(rest) && rest.len() >= TAG_AND_TYPE && tags.len() < most_tags {
            tags.push((u16::from_be_bytes([rest[0], rest[1]]), u16::from_be_bytes([rest[2], rest[3]])));
            rest = &rest[TAG..];
        }
        let outermost = tags.first().map_or(0, |(_, tci)| tci & 0xf000);
        let priority = if loses_priority { 0 } else { outermost };
        let (addresses, now, rest) = (addresses.to_vec(), tags.clone(), rest.to_vec());
        let has_type = rest.len() >= 2;
        has_type.then_some(Self { addresses, tags, now, rest, most_tags, loses_priority, priority })
    }

    pub fn destination(&self) -> &[u8] {
        &self.addresses[..6]
    }

    pub fn outermost_tag(&self) -> Option<TagBytes> {
        self.tags.first().copied()
    }

    /// Whether the frame ends within its outermost tag or the type behind it.
    pub fn has_cut_tag(&self) -> bool {
        self.tags.is_empty() && is_tpid(&self.rest) && self.rest.len() < TAG_AND_TYPE
    }

    /// Whether `receiver` would classify it as a frame of one of its subports.
    pub fn is_disguised_for(&self, scenario: &Scenario, receiver: &str) -> bool {
        let Some((0x8100, tci)) = self.outermost_tag() else { return false };
        !matches!(records::meaning(scenario, receiver, tci & 0x0fff), Tag::Nothing)
    }

    /// Strips the outermost tag.
    pub fn strip(&mut self) {
        self.tags.remove(0);
    }

    /// Pushes a tag. If there are too many, the innermost parsed one is removed.
    pub fn push(&mut self, vid: u16) {
        self.tags.insert(0, (0x8100, self.priority | vid));
        self.tags.truncate(self.most_tags);
    }

    /// Sets the VID of the outermost tag, and pushes a tag only if there is none.
    pub fn overwrite(&mut self, vid: u16) {
        match self.tags.first_mut() {
            Some((_, tci)) => *tci = *tci & 0xf000 | vid,
            None => self.push(vid),
        }
    }

    /// Sets its tags to those of `other`, the same frame at another time.
    pub fn restore(&mut self, other: &Self) {
        self.tags.clone_from(&other.tags);
    }

    /// Rewrites the tags from the first different one on, and returns the frame.
    pub fn bytes(&mut self) -> Vec<u8> {
        let is_same =
            |(to_be, now): &(&TagBytes, &TagBytes)| to_be.0 == now.0 && (to_be.1 ^ now.1) & !DEI == 0;
        let same = self.tags.iter().rev().zip(self.now.iter().rev()).take_while(is_same).count();
        let rewritten = &self.tags[..self.tags.len() - same];
        let keeps = if self.loses_priority { !DEI } else { !0 };
        let rewritten = rewritten.iter().map(|(tpid, tci)| (*tpid, tci & keeps));
        self.now = rewritten.chain(self.now[self.now.len() - same..].iter().copied()).collect();
        let tags = self.now.iter().flat_map(|(tpid, tci)| [tpid.to_be_bytes(), tci.to_be_bytes()]).flatten();
        self.addresses.iter().copied().chain(tags).chain(self.rest.iter().copied()).collect()
    }
}

fn is_tpid(bytes: &[u8]) -> bool {
    matches!(bytes, [0x81, 0x00, ..] | [0x88, 0xa8, ..])
}
