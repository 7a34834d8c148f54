//! What is measured: frames of one kind, the way they go, and what must arrive.
//!
//! ```text
//!   v0 ══ p0  the underlay: the tunnel to another host, which has a port of network 2
//!   v1 ══ p1  the trunk: network 1 untagged, network 2 by VLAN 100, or 1000 to 1999
//!   v2 ══ p2
//!   v3 ══ p3  ports of network 2
//!   v4 ══ p4
//! ```
//!
//! With security groups, there is a subport with VLAN 101 too, and it and p2 are filtered.

use std::fmt;
use std::str::FromStr;

use anyhow::{Result, bail};
use serde::Serialize;

use testkit::frame::Mac;

/// VID of a job with a single VID.
pub const ONE_VID: u16 = 100;
/// VID of the subport with security groups.
pub const FILTERED_VID: u16 = 101;
/// First VID of a job with many.
pub const FIRST_VID: u16 = 1000;
/// Number of VIDs of a job with many.
pub const MANY_VIDS: u16 = 1000;

/// Number of the cable that is the underlay.
pub const UNDERLAY: usize = 0;

/// Address of the port at p2; below those at p3 and p4.
pub const P2: Mac = [0xfa, 0x16, 0x3e, 0x00, 0x01, 0x67];
pub const P3: Mac = [0xfa, 0x16, 0x3e, 0x00, 0x01, 0x69];
pub const P4: Mac = [0xfa, 0x16, 0x3e, 0x00, 0x01, 0x6a];
/// Address of the port at the other host.
pub const REMOTE: Mac = [0xfa, 0x16, 0x3e, 0x00, 0x01, 0x6b];
/// Address of the parent.
pub const PARENT: Mac = [0xfa, 0x16, 0x3e, 0x00, 0x01, 0x66];

/// Address of the subport with this VID.
pub const fn subport(vid: u16) -> Mac {
    let [high, low] = vid.to_be_bytes();
    [0xfa, 0x16, 0x3e, 0x01, high, low]
}

/// All VIDs of the parent.
pub fn vids() -> impl Iterator<Item = u16> {
    std::iter::once(ONE_VID).chain(FIRST_VID..FIRST_VID + MANY_VIDS)
}

/// Direction of the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the parent, the tag stripped: v1, p1, p3, v3.
    Up,
    /// To the parent, a tag pushed: v3, p3, p1, v1.
    Down,
    /// Without a tag: v3, p3, p4, v4.
    Plain,
    /// From the parent into the tunnel, the tag stripped: v1, p1, p0, v0.
    Encap,
    /// From the tunnel to the parent, a tag pushed: v0, p0, p1, v1.
    Decap,
    /// Between ports with security groups, from those that open connections, the tag stripped: v1, p1, p2, v2.
    GroupsUp,
    /// Answers on these connections, a tag pushed: v2, p2, p1, v1.
    GroupsDown,
}

/// Lengths of frames with tag, without FCS and the headers of a tunnel. Untagged ones are 4 bytes shorter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Size {
    Bytes(u32),
    /// 7 of 64, 4 of 594 and 1 of 1518 bytes.
    Imix,
}

/// Traffic that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Job {
    pub direction: Direction,
    pub size: Size,
    pub vids: u16,
}

impl Job {
    pub const UP: Self = Self { direction: Direction::Up, size: Size::Bytes(64), vids: 1 };
    pub const DOWN: Self = Self { direction: Direction::Down, ..Self::UP };
    pub const ENCAP: Self = Self { direction: Direction::Encap, ..Self::UP };
    pub const DECAP: Self = Self { direction: Direction::Decap, ..Self::UP };
    pub const GROUPS_UP: Self = Self { direction: Direction::GroupsUp, ..Self::UP };
    pub const GROUPS_DOWN: Self = Self { direction: Direction::GroupsDown, ..Self::UP };
    const PLAIN: Self = Self { direction: Direction::Plain, ..Self::UP };

    /// All jobs of a full run, whose datapaths have no tunnel: it costs other jobs one more socket.
    pub fn all() -> Vec<Self> {
        let sizes = [Size::Bytes(512), Size::Bytes(1518), Size::Imix];
        let longer =
            sizes.into_iter().flat_map(|size| [Self { size, ..Self::UP }, Self { size, ..Self::DOWN }]);
        let many = [Self { vids: MANY_VIDS, ..Self::UP }, Self { vids: MANY_VIDS, ..Self::DOWN }];
        [Self::UP, Self::DOWN, Self::PLAIN].into_iter().chain(many).chain(longer).collect()
    }

    /// Jobs with a tunnel.
    fn with_tunnel() -> [Self; 4] {
        let size = Size::Bytes(1518);
        [Self::ENCAP, Self::DECAP, Self { size, ..Self::ENCAP }, Self { size, ..Self::DECAP }]
    }

    pub fn has_tunnel(self) -> bool {
        matches!(self.direction, Direction::Encap | Direction::Decap)
    }

    pub const fn has_groups(self) -> bool {
        matches!(self.direction, Direction::GroupsUp | Direction::GroupsDown)
    }

    /// Jobs whose frames establish the connections of this one, in order.
    pub const fn establish(self) -> &'static [Self] {
        if self.has_groups() { &[Self::GROUPS_UP, Self::GROUPS_DOWN] } else { &[] }
    }

    /// Number of the cable on which frames reach the datapath.
    pub const fn from(self) -> usize {
        match self.direction {
            Direction::Up | Direction::Encap | Direction::GroupsUp => 1,
            Direction::GroupsDown => 2,
            Direction::Down | Direction::Plain => 3,
            Direction::Decap => UNDERLAY,
        }
    }

    /// Number of the cable on which frames leave the datapath.
    pub const fn to(self) -> usize {
        match self.direction {
            Direction::Up => 3,
            Direction::Down | Direction::Decap | Direction::GroupsDown => 1,
            Direction::GroupsUp => 2,
            Direction::Plain => 4,
            Direction::Encap => UNDERLAY,
        }
    }

    /// VID of the first frame.
    pub const fn first_vid(self) -> u16 {
        match (self.has_groups(), self.vids) {
            (true, _) => FILTERED_VID,
            (false, 1) => ONE_VID,
            (false, _) => FIRST_VID,
        }
    }

    /// Whether frames have a tag when they reach the datapath, and when they leave it.
    pub fn tagged(self) -> (bool, bool) {
        match self.direction {
            Direction::Up | Direction::Encap | Direction::GroupsUp => (true, false),
            Direction::Down | Direction::Decap | Direction::GroupsDown => (false, true),
            Direction::Plain => (false, false),
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::Up => "up",
            Direction::Down => "down",
            Direction::Plain => "plain",
            Direction::Encap => "encap",
            Direction::Decap => "decap",
            Direction::GroupsUp => "groups-up",
            Direction::GroupsDown => "groups-down",
        };
        let vids = if self.vids == 1 { String::new() } else { format!("-{}vids", self.vids) };
        match self.size {
            Size::Bytes(bytes) => f.pad(&format!("{direction}-{bytes}{vids}")),
            Size::Imix => f.pad(&format!("{direction}-imix{vids}")),
        }
    }
}

impl FromStr for Job {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        let groups = [Self::GROUPS_UP, Self::GROUPS_DOWN].to_vec();
        let known = [Self::all(), Self::with_tunnel().to_vec(), groups].concat();
        if let Some(job) = known.iter().find(|job| job.to_string() == name) {
            return Ok(*job);
        }
        let names: Vec<_> = known.iter().map(ToString::to_string).collect();
        bail!("{name:?} is no job: expected one of {}", names.join(", "))
    }
}
