//! Encapsulated packets of a guest's own tunnels, built from the inside out, with partial or complete
//! checksums.

use testkit::frames::ones_complement_sum;

/// Whether a checksum is partial, as with checksum offload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    Partial,
    Complete,
}

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const SCTP: u8 = 132;

/// Source and destination of all IPv4 headers; below those of all IPv6 headers.
pub const ADDRESSES_4: [u8; 8] = [10, 0, 0, 1, 10, 0, 0, 2];
pub const ADDRESSES_6: [u8; 32] = {
    let mut bytes = [0x20; 32];
    bytes[15] = 1;
    bytes[31] = 2;
    bytes
};

pub const fn addresses(v6: bool) -> &'static [u8] {
    if v6 { &ADDRESSES_6 } else { &ADDRESSES_4 }
}

/// Position of a packet among the segments of a long one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    pub number: u16,
    /// Bytes of payload in the segments before it.
    pub offset: u32,
}

/// A TCP, UDP or SCTP segment with this payload. The addresses are for the pseudo-header; they end with the
/// final destination.
pub fn segment(protocol: u8, between: &[u8], payload: &[u8], sum: Sum, place: Place) -> Vec<u8> {
    let ports = [0x30, 0x39, 0, 80];
    let rest = match protocol {
        TCP => {
            let sequence = (0x5151_0000 + place.offset).to_be_bytes();
            [&sequence[..], &[0, 0, 0, 1, 0x50, 0x10, 4, 0, 0, 0, 0, 0]].concat()
        }
        UDP => [&(8 + payload.len() as u16).to_be_bytes()[..], &[0, 0]].concat(),
        _ => vec![1, 2, 3, 4, 0, 0, 0, 0],
    };
    let mut bytes = [&ports[..], &rest, payload].concat();
    match protocol {
        SCTP if sum == Sum::Complete => {
            let crc = crc32c(&bytes).to_le_bytes();
            bytes[8..12].copy_from_slice(&crc);
        }
        SCTP => {}
        _ => fill(&mut bytes, if protocol == TCP { 16 } else { 6 }, protocol, between, sum),
    }
    bytes
}

/// Writes the checksum of a TCP or UDP segment.
fn fill(segment: &mut [u8], field: usize, protocol: u8, between: &[u8], sum: Sum) {
    let pseudo = [between, &[0, protocol], &(segment.len() as u16).to_be_bytes()].concat();
    segment[field..field + 2].fill(0);
    let value = match sum {
        Sum::Partial => ones_complement_sum(&pseudo),
        Sum::Complete => match !ones_complement_sum(&[&pseudo[..], segment].concat()) {
            0 if protocol == UDP => 0xffff,
            value => value,
        },
    };
    segment[field..field + 2].copy_from_slice(&value.to_be_bytes());
}

pub fn ip(v6: bool, protocol: u8, payload: &[u8], place: Place) -> Vec<u8> {
    let len = payload.len() as u16;
    if v6 {
        let header = [&[0x86, 0xdd, 0x60, 0, 0, 0][..], &len.to_be_bytes(), &[protocol, 64], &ADDRESSES_6];
        return [&header.concat()[..], payload].concat();
    }
    let (len, id) = ((len + 20).to_be_bytes(), (1 + place.number).to_be_bytes());
    let mut header = [&[0x45, 0][..], &len, &id, &[0, 0, 64, protocol, 0, 0], &ADDRESSES_4].concat();
    let sum = !ones_complement_sum(&header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [&[0x08, 0x00], &header[..], payload].concat()
}

/// UDP to a tunnel's port. The checksum field is 0 without `sum`.
pub fn udp(v6: bool, port: u16, payload: &[u8], sum: Option<Sum>) -> Vec<u8> {
    let len = 8 + payload.len() as u16;
    let header = [0xc0_00, port, len, 0].map(u16::to_be_bytes).concat();
    let mut datagram = [&header[..], payload].concat();
    if let Some(sum) = sum {
        fill(&mut datagram, 6, UDP, addresses(v6), sum);
    }
    datagram
}

/// An inner Ethernet frame.
pub fn ethernet(ethertype_and_packet: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 9, 9][..], &[2, 0, 0, 0, 9, 8], ethertype_and_packet].concat()
}

/// GRE version 0 with these flags (RFC 2890); `packet` begins with the EtherType.
pub fn gre(flags: u16, packet: &[u8], sum: Sum) -> Vec<u8> {
    let (ethertype, payload) = packet.split_at(2);
    let optional: usize = [0x8000, 0x2000, 0x1000].iter().filter(|flag| flags & **flag != 0).count();
    let mut bytes = [&flags.to_be_bytes()[..], ethertype, &vec![0; 4 * optional], payload].concat();
    if flags & 0x8000 != 0 && sum == Sum::Complete {
        let sum = !ones_complement_sum(&bytes);
        bytes[4..6].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

/// Computed bit by bit (RFC 9260, appendix A).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & 0_u32.wrapping_sub(crc & 1)))
    })
}
