//! Bytes of frames for the datapath, valid or not.

use crate::scenario::Mac;

pub const BROADCAST: Mac = [0xff; 6];
pub const DOT1Q: u16 = 0x8100;

/// Tag control information from priority, drop eligible and VID.
pub const fn tci(pcp: u16, dei: u16, vid: u16) -> u16 {
    pcp << 13 | dei << 12 | vid
}

/// An Ethernet frame: addresses, tags (TPID, TCI) from the outermost on, EtherType and payload.
pub fn frame(destination: Mac, source: Mac, tags: &[(u16, u16)], rest: &[u8]) -> Vec<u8> {
    let mut bytes = [destination, source].concat();
    for (tpid, tci) in tags {
        bytes.extend(tpid.to_be_bytes());
        bytes.extend(tci.to_be_bytes());
    }
    bytes.extend(rest);
    bytes
}

/// An EtherType for experiments (IEEE 802, 0x88b5) and a recognizable payload.
pub fn payload() -> Vec<u8> {
    [&[0x88, 0xb5][..], b"a payload of forty-six bytes or a little more"].concat()
}

/// A frame with that payload and 802.1Q tags (TCIs), from the outermost on.
pub fn tagged(destination: Mac, source: Mac, tcis: &[u16]) -> Vec<u8> {
    let tags: Vec<_> = tcis.iter().map(|tci| (DOT1Q, *tci)).collect();
    frame(destination, source, &tags, &payload())
}

/// A packet over IPv4 or IPv6 with its EtherType, to put behind a header.
#[derive(Debug, Clone)]
pub struct Packet {
    pub v6: bool,
    /// IP protocol number: 6 is TCP, 17 UDP.
    pub protocol: u8,
    /// For IPv4 flags and fragment offset; for IPv6 the length in bytes of a hop-by-hop header, a multiple of
    /// 8.
    pub odd_header: u16,
    pub checksum: Checksum,
    pub data: Vec<u8>,
}

/// Content of the checksum field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Sum of the pseudo-header only.
    Partial,
    /// Checksum of the whole segment.
    Complete,
    Value(u16),
}

impl Packet {
    pub fn new(v6: bool, protocol: u8, checksum: Checksum, data: &[u8]) -> Self {
        Self { v6, protocol, odd_header: 0, checksum, data: data.to_vec() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let (header_len, field) = if self.protocol == 6 { (20, 16) } else { (8, 6) };
        let mut segment = vec![0x51; header_len];
        segment[field..field + 2].fill(0);
        segment.extend(&self.data);
        let addresses: Vec<u8> = if self.v6 { (100..132).collect() } else { vec![10, 0, 0, 1, 10, 0, 0, 2] };
        let len = segment.len() as u16;
        let pseudo = [&addresses[..], &[0, self.protocol], &len.to_be_bytes()].concat();
        let sum = match self.checksum {
            Checksum::Partial => ones_complement_sum(&pseudo),
            Checksum::Complete => !ones_complement_sum(&[&pseudo[..], &segment].concat()),
            Checksum::Value(sum) => sum,
        };
        segment[field..field + 2].copy_from_slice(&sum.to_be_bytes());
        [self.ip_header(len, &addresses), segment].concat()
    }

    fn ip_header(&self, len: u16, addresses: &[u8]) -> Vec<u8> {
        if !self.v6 {
            let mut header = vec![0x08, 0x00, 0x45, 0];
            header.extend((len + 20).to_be_bytes());
            header.extend([0, 1]);
            header.extend(self.odd_header.to_be_bytes());
            header.extend([64, self.protocol, 0xab, 0xcd]);
            header.extend(addresses);
            return header;
        }
        let mut header = vec![0x86, 0xdd, 0x60, 0, 0, 0];
        header.extend((len + self.odd_header).to_be_bytes());
        header.extend([if self.odd_header > 0 { 0 } else { self.protocol }, 64]);
        header.extend(addresses);
        if self.odd_header > 0 {
            header.extend([self.protocol, (self.odd_header / 8 - 1) as u8]);
            header.extend(vec![0; usize::from(self.odd_header) - 2]);
        }
        header
    }
}

/// One's complement sum of 16-bit words, with end-around carry (RFC 1071).
pub fn ones_complement_sum(bytes: &[u8]) -> u16 {
    bytes.chunks(2).fold(0, |sum: u16, word| {
        let word = u16::from_be_bytes([word[0], *word.get(1).unwrap_or(&0)]);
        let (sum, carry) = sum.overflowing_add(word);
        sum + u16::from(carry)
    })
}
