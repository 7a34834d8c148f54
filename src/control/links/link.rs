//! A kernel network device, parsed from an rtnetlink message.

use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkInfo, LinkMessage};

use crate::kernel::inspect;
use crate::packet::Header;
use crate::packet::dot1q::TAG_LEN;
use crate::tables::MAX_NESTING;
use crate::types::{IfIndex, MacAddr};
use crate::xsk::LONGEST_FRAME_BYTES;

/// The largest MTU of a port, in bytes: a packet that long, with all tags, is a frame that can be sent.
pub const LARGEST_MTU: u32 = (LONGEST_FRAME_BYTES - Header::LEN - MAX_NESTING * TAG_LEN) as u32;

/// A network device with the properties that the kernel announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Identifies the link while it exists: a link that is created again under its old name has another
    /// ifindex.
    pub ifindex: IfIndex,
    /// The present name, which a user may change.
    pub name: String,
    /// Set with `ip link set DEV alias TEXT`. The kernel does not announce a new alias while the link is
    /// down, only with the next change.
    pub alias: Option<String>,
    /// `veth`, `tun` (a tap too), `bridge`, ...; a physical NIC has none.
    pub kind: Option<String>,
    /// Bytes of payload after the Ethernet header.
    pub mtu: u32,
    /// Its own address; `None` if it is no Ethernet link.
    pub mac: Option<MacAddr>,
    /// Whether it is switched on (`IFF_UP`).
    pub up: bool,
    /// Whether the other end exists and is switched on (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// Number of RX queues in use.
    pub rx_queues: u16,
    /// Number of TX queues in use.
    pub tx_queues: u16,
}

impl Link {
    /// Parses an announcement, and reads the number of queues in use, which it does not contain. `None` for
    /// an announcement that does not describe a whole link: a bridge announces its members under a family of
    /// its own (a member that leaves is not a deleted link), and Wi-Fi events carry a name only.
    pub(super) fn parse(message: &LinkMessage) -> Option<Self> {
        if message.header.interface_family != AddressFamily::Unspec {
            return None;
        }
        let flags = message.header.flags;
        let mut link = Self {
            ifindex: IfIndex::new(message.header.index)?,
            name: String::new(),
            alias: None,
            kind: None,
            mtu: 0,
            mac: None,
            up: flags.contains(LinkFlags::Up),
            carrier: flags.contains(LinkFlags::LowerUp),
            rx_queues: 0,
            tx_queues: 0,
        };
        message.attributes.iter().for_each(|attribute| link.set_attribute(attribute));
        if link.name.is_empty() || link.rx_queues == 0 {
            return None;
        }
        if let Some(in_use) = inspect::queue_counts(&link.name, link.ifindex) {
            (link.rx_queues, link.tx_queues) = (in_use.rx, in_use.tx);
        }
        Some(link)
    }

    /// Bytes of the longest frame that can leave by the link, with tags. A veth drops longer ones without a
    /// counter (`is_skb_forwardable`: MTU of its peer, which is assumed to be the same, plus Ethernet header
    /// and one tag). Others do not count tags.
    #[must_use]
    pub fn longest_frame(&self) -> usize {
        let tags = if self.kind.as_deref() == Some("veth") { 1 } else { MAX_NESTING };
        (self.mtu as usize + Header::LEN + tags * TAG_LEN).min(LONGEST_FRAME_BYTES)
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "a link has some 70 attributes; the switch uses these"
    )]
    fn set_attribute(&mut self, attribute: &LinkAttribute) {
        match attribute {
            LinkAttribute::IfName(name) => self.name.clone_from(name),
            LinkAttribute::IfAlias(alias) => self.alias = (!alias.is_empty()).then(|| alias.clone()),
            LinkAttribute::Mtu(mtu) => self.mtu = *mtu,
            LinkAttribute::Address(bytes) => self.mac = bytes.as_slice().try_into().ok().map(MacAddr::new),
            LinkAttribute::NumRxQueues(queues) => self.rx_queues = queue_count(*queues),
            LinkAttribute::NumTxQueues(queues) => self.tx_queues = queue_count(*queues),
            LinkAttribute::LinkInfo(infos) => {
                self.kind = infos.iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
            }
            _ => {}
        }
    }
}

fn queue_count(queues: u32) -> u16 {
    u16::try_from(queues).unwrap_or(u16::MAX)
}

/// A link that is up, for unit tests.
#[cfg(test)]
pub(in crate::control) fn test_link(ifindex: u32, name: &str, alias: Option<&str>) -> Link {
    Link {
        ifindex: IfIndex::new(ifindex).unwrap(),
        name: name.to_owned(),
        alias: alias.map(str::to_owned),
        kind: None,
        mtu: 1500,
        mac: None,
        up: true,
        carrier: true,
        rx_queues: 1,
        tx_queues: 1,
    }
}
