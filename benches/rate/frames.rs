//! Bytes of the frames of a job: IPv4 and UDP with right lengths and checksums.

use crate::job::{Direction, Job, P2, P3, P4, REMOTE, Size, UNDERLAY, subport};
use crate::underlay::{OUTER_LEN, SOURCE_PORT, SOURCE_PORT_AT, encapsulate};
use testkit::frame::{CTAG, Mac};

/// Bytes that the generator writes for each frame: all headers, but only the outer ones of a tunnel.
pub const HEADER_LEN: usize = 48;

/// Size of a tag in bytes.
const TAG_LEN: u32 = 4;
const ADDRESSES_LEN: usize = 12;
/// Length of an IPv4 header without options.
const IP_LEN: usize = 20;

/// IPv4 addresses of the ports with security groups: the one that opens connections, and the other.
pub const CLIENT: &str = "10.0.0.1";
pub const SERVER: &str = "10.0.0.2";
/// UDP port of the server.
pub const SERVER_PORT: u16 = 5678;
/// Connections between them, each with a UDP port of the client, from this one on.
pub const CONNECTIONS: u16 = 4096;
const FIRST_CLIENT_PORT: u16 = 10_000;

/// Lengths of IMIX in order, with short ones spread.
const IMIX: [u32; 12] = [64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 594, 64];

/// Frames of a job, for the generator.
#[derive(Debug, Clone)]
pub struct Frames {
    /// Frames sent in a cycle.
    pub pattern: Vec<Vec<u8>>,
    /// Offset of the two bytes (big-endian) that depend on the VID or the connection.
    pub vary_at: usize,
    /// First value of these bytes.
    pub vary_from: u16,
    /// Number of their values.
    pub vary_count: u16,
}

impl Frames {
    pub fn of(job: Job) -> Self {
        let (tagged, _) = job.tagged();
        let vid = job.first_vid();
        let (destination, source) = match job.direction {
            Direction::Up => (P3, subport(vid)),
            Direction::Down => (subport(vid), P3),
            Direction::Plain => (P4, P3),
            Direction::Encap => (REMOTE, subport(vid)),
            Direction::Decap => (subport(vid), REMOTE),
            Direction::GroupsUp => (P2, subport(vid)),
            Direction::GroupsDown => (subport(vid), P2),
        };
        let lengths: &[u32] = match &job.size {
            Size::Bytes(bytes) => std::slice::from_ref(bytes),
            Size::Imix => &IMIX,
        };
        let frame = |length: &u32| {
            let mut frame = frame(destination, source, tagged.then_some(vid), length - untagged(tagged));
            if job.has_groups() {
                clear_checksum(&mut frame[ip_at(tagged)..]);
            }
            if job.direction == Direction::GroupsDown {
                answer(&mut frame[ip_at(tagged)..]);
            }
            if job.from() == UNDERLAY { encapsulate(&frame) } else { frame }
        };
        // The last two bytes of a tag, or of a subport's address, or a client's port. Others have one value
        // only.
        let (vary_at, vary_from) = match job.direction {
            Direction::Up | Direction::Encap => (ADDRESSES_LEN + 2, vid),
            Direction::Down => (4, vid),
            Direction::Plain => (4, u16::from_be_bytes([P4[4], P4[5]])),
            Direction::Decap => (SOURCE_PORT_AT, SOURCE_PORT),
            Direction::GroupsUp => (ip_at(tagged) + IP_LEN, FIRST_CLIENT_PORT),
            Direction::GroupsDown => (ip_at(tagged) + IP_LEN + 2, FIRST_CLIENT_PORT),
        };
        let vary_count = if job.has_groups() { CONNECTIONS } else { job.vids };
        Self { pattern: lengths.iter().map(frame).collect(), vary_at, vary_from, vary_count }
    }

    /// One frame without a tag, repeated.
    pub fn untagged(destination: Mac, source: Mac, length: u32) -> Self {
        let vary_from = u16::from_be_bytes([destination[4], destination[5]]);
        Self { pattern: vec![frame(destination, source, None, length)], vary_at: 4, vary_from, vary_count: 1 }
    }

    /// The longest frame.
    pub fn longest(&self) -> &[u8] {
        self.pattern.iter().max_by_key(|frame| frame.len()).map_or(&[], Vec::as_slice)
    }
}

/// Expected frames at one end of their path.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Lengths in bytes without FCS, each once.
    pub lengths: Vec<u32>,
    pub first_vid: u16,
    /// Number of VIDs; 0 is no tag.
    pub vids: u16,
}

impl Expected {
    /// Frames of `job` that leave the datapath.
    pub fn arriving(job: Job) -> Self {
        Self::new(job, job.tagged().1, job.to())
    }

    /// Frames without a tag.
    pub fn untagged(length: u32) -> Self {
        Self { lengths: vec![length], first_vid: 0, vids: 0 }
    }

    /// Frames of `job` that reach the datapath.
    pub fn departing(job: Job) -> Self {
        Self::new(job, job.tagged().0, job.from())
    }

    fn new(job: Job, tagged: bool, cable: usize) -> Self {
        let mut lengths = match job.size {
            Size::Bytes(bytes) => vec![bytes],
            Size::Imix => IMIX.to_vec(),
        };
        lengths.sort_unstable();
        lengths.dedup();
        for length in &mut lengths {
            *length -= untagged(tagged);
            *length += if cable == UNDERLAY { OUTER_LEN } else { 0 };
        }
        Self { lengths, first_vid: job.first_vid(), vids: if tagged { job.vids } else { 0 } }
    }
}

/// Bytes by which an untagged frame is shorter.
const fn untagged(tagged: bool) -> u32 {
    if tagged { 0 } else { TAG_LEN }
}

/// A frame of `length` bytes.
fn frame(destination: Mac, source: Mac, vid: Option<u16>, length: u32) -> Vec<u8> {
    let mut bytes = [destination, source].concat();
    if let Some(vid) = vid {
        bytes.extend([CTAG.to_be_bytes(), vid.to_be_bytes()].concat());
    }
    bytes.extend([0x08, 0x00]);
    let ip = bytes.len();
    let total = u16::try_from(length as usize - ip).unwrap();
    bytes.extend([0x45, 0]);
    bytes.extend(total.to_be_bytes());
    // No fragment, TTL 64, UDP, checksum filled in below, 10.0.0.1 to 10.0.0.2.
    bytes.extend([0, 1, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    let sum = checksum(&bytes[ip..]);
    bytes[ip + 10..ip + 12].copy_from_slice(&sum.to_be_bytes());
    // Port 1234 to 5678, and a payload of zeros.
    bytes.extend([0x04, 0xd2, 0x16, 0x2e]);
    bytes.extend((total - 20).to_be_bytes());
    bytes.extend([0, 0]);
    let pseudo =
        [&bytes[ip + 12..ip + 20], &[0, 17], &(total - 20).to_be_bytes(), &bytes[ip + 20..]].concat();
    let sum = checksum(&pseudo);
    bytes[ip + 26..ip + 28].copy_from_slice(&sum.to_be_bytes());
    bytes.resize(length as usize, 0);
    bytes
}

/// Offset of the IPv4 header.
const fn ip_at(tagged: bool) -> usize {
    ADDRESSES_LEN + if tagged { TAG_LEN as usize } else { 0 } + 2
}

/// Omits the UDP checksum of the packet (RFC 768), which would depend on the connection.
fn clear_checksum(packet: &mut [u8]) {
    packet[IP_LEN + 6..IP_LEN + 8].fill(0);
}

/// Makes the packet one from the server, by swapping addresses and ports.
fn answer(packet: &mut [u8]) {
    packet[12..IP_LEN].rotate_left(4);
    packet[IP_LEN..IP_LEN + 4].rotate_left(2);
}

/// Internet checksum (RFC 1071).
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}
