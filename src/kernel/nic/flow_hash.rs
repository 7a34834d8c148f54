//! The hash that distributes received flows to queues (receive-side scaling, RSS).
//!
//! Many NICs hash the addresses of a UDP packet only, because fragments have no ports. All tunnel packets of
//! two hosts have the same addresses, and the flows inside differ by the source port (RFC 7348, section 5):
//! without ports in the hash they all arrive on one queue.

use std::io;

use crate::kernel::inspect::query_into;

// Names in linux/ethtool.h: ETHTOOL_GRXFH, ETHTOOL_SRXFH, UDP_V4_FLOW, UDP_V6_FLOW.
const GET_HASH: u32 = 0x29;
const SET_HASH: u32 = 0x2a;
const UDP_FLOWS: [u32; 2] = [0x02, 0x06];

/// `RXH_IP_SRC | RXH_IP_DST | RXH_L4_B_0_1 | RXH_L4_B_2_3`, which is `sdfn` for ethtool.
const ADDRESSES_AND_PORTS: u64 = 0xf0;

/// Words of `struct ethtool_rxnfc`: command, kind of flow, 64 bits of fields, and more for other commands.
const WORDS: usize = 48;

/// The fields that the hash of a kind of flow includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FlowHash {
    flow: u32,
    fields: u64,
}

impl FlowHash {
    /// Includes the ports in the hash of UDP packets, where the driver can. Returns the former hashes of
    /// those that changed.
    pub(super) fn hash_ports(link: &str) -> Vec<Self> {
        let change = |flow| {
            let former = Self::get(link, flow).ok().filter(|hash| hash.fields != ADDRESSES_AND_PORTS)?;
            match (Self { flow, fields: ADDRESSES_AND_PORTS }).set(link) {
                Ok(()) => Some(former),
                Err(error) => {
                    tracing::debug!(link, flow, "the flow hash stays without ports: {error}");
                    None
                }
            }
        };
        UDP_FLOWS.into_iter().filter_map(change).collect()
    }

    fn get(link: &str, flow: u32) -> io::Result<Self> {
        let mut words = [0; WORDS];
        (words[0], words[1]) = (GET_HASH, flow);
        // SAFETY: the result is a struct ethtool_rxnfc, for which `words` has room.
        unsafe { query_into(link, &mut words) }?;
        Ok(Self { flow, fields: join([words[2], words[3]]) })
    }

    /// Makes it the hash of the link.
    pub(super) fn set(self, link: &str) -> io::Result<()> {
        let mut words = [0; WORDS];
        (words[0], words[1]) = (SET_HASH, self.flow);
        [words[2], words[3]] = split(self.fields);
        // SAFETY: the request is a struct ethtool_rxnfc, of the size of `words`; the kernel may write it
        // back.
        unsafe { query_into(link, &mut words) }
    }
}

/// The number whose bytes, in the order of this machine, are those of the two words.
fn join(words: [u32; 2]) -> u64 {
    if cfg!(target_endian = "little") {
        u64::from(words[1]) << 32 | u64::from(words[0])
    } else {
        u64::from(words[0]) << 32 | u64::from(words[1])
    }
}

/// The inverse of [`join`].
fn split(number: u64) -> [u32; 2] {
    let (low, high) = (number as u32, (number >> 32) as u32);
    if cfg!(target_endian = "little") { [low, high] } else { [high, low] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_words_have_the_bytes_of_their_number() {
        for number in [ADDRESSES_AND_PORTS, 0x0102_0304_0506_0708] {
            let bytes: Vec<u8> = split(number).into_iter().flat_map(u32::to_ne_bytes).collect();
            assert_eq!(bytes, number.to_ne_bytes());
            assert_eq!(join(split(number)), number);
        }
    }

    #[test]
    fn a_link_without_the_hash_keeps_what_it_has() {
        assert_eq!(FlowHash::hash_ports("lo"), []);
    }
}
