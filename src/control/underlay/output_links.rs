//! The links of the namespace, with the properties that decide whether tunnels can leave by them. Smaller
//! than [`crate::control::links::Links`], and read without the ioctls of that.

use std::collections::BTreeMap;

use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::{
    InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};

use crate::types::{IfIndex, MacAddr};

/// A link that a route may lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OutputLink {
    pub name: String,
    /// Bytes of the longest IP packet.
    pub mtu_bytes: u32,
    /// `None` if it is no Ethernet link.
    pub mac: Option<MacAddr>,
    /// Whether it is switched on (`IFF_UP`).
    pub up: bool,
    /// Whether the other end exists and is switched on (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// The link that it sends by, of a VLAN or macvlan link (`IFLA_LINK`).
    pub lower: Option<Lower>,
    /// The bridge, bond or team that it is a member of (`IFLA_MASTER`).
    pub controller: Option<IfIndex>,
}

/// The place of the link that another one sends by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lower {
    Here(IfIndex),
    OtherNamespace,
}

/// Parses an announcement. `None` for one that does not describe a whole link: bridges and IPv6 announce
/// changes of their part under families of their own.
pub(super) fn parse(message: &LinkMessage) -> Option<(IfIndex, OutputLink)> {
    if message.header.interface_family != AddressFamily::Unspec {
        return None;
    }
    let ifindex = IfIndex::new(message.header.index)?;
    let flags = message.header.flags;
    let is_ethernet = message.header.link_layer_type == LinkLayerType::Ether;
    let mut link = OutputLink {
        name: String::new(),
        mtu_bytes: 0,
        mac: None,
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
        lower: None,
        controller: None,
    };
    let (mut lower, mut is_elsewhere, mut is_veth) = (None, false, false);
    for attribute in &message.attributes {
        #[expect(clippy::wildcard_enum_match_arm, reason = "a link has some 70 attributes")]
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => link.mtu_bytes = *mtu,
            LinkAttribute::Address(bytes) if is_ethernet => {
                link.mac = bytes.as_slice().try_into().ok().map(MacAddr::new);
            }
            LinkAttribute::Link(index) => lower = IfIndex::new(*index),
            LinkAttribute::LinkNetNsId(_) => is_elsewhere = true,
            LinkAttribute::Controller(index) => link.controller = IfIndex::new(*index),
            LinkAttribute::LinkInfo(infos) => {
                is_veth = infos.iter().any(|info| matches!(info, LinkInfo::Kind(InfoKind::Veth)));
            }
            _ => {}
        }
    }
    // The other end of a veth is no link below it. A link may also name itself.
    let lower = lower.filter(|lower| !is_veth && (is_elsewhere || *lower != ifindex));
    link.lower = lower.map(|lower| if is_elsewhere { Lower::OtherNamespace } else { Lower::Here(lower) });
    (!link.name.is_empty()).then_some((ifindex, link))
}

/// All links, by index.
#[derive(Debug, Default)]
pub(super) struct OutputLinks(BTreeMap<IfIndex, OutputLink>);

impl OutputLinks {
    pub(super) fn get(&self, ifindex: IfIndex) -> Option<&OutputLink> {
        self.0.get(&ifindex)
    }

    /// Returns true if a property has changed.
    pub(super) fn insert(&mut self, ifindex: IfIndex, link: OutputLink) -> bool {
        self.0.get(&ifindex) != Some(&link) && {
            self.0.insert(ifindex, link);
            true
        }
    }

    /// Returns true if the link was known.
    pub(super) fn remove(&mut self, ifindex: IfIndex) -> bool {
        self.0.remove(&ifindex).is_some()
    }

    /// The name of a link that `ifindex` sends by; `None` if frames leave by `ifindex` itself.
    pub(super) fn lower_of(&self, ifindex: IfIndex) -> Option<String> {
        match self.get(ifindex)?.lower {
            Some(Lower::OtherNamespace) => return Some("a link of another network namespace".to_owned()),
            Some(Lower::Here(lower)) => {
                return Some(
                    self.get(lower).map_or_else(|| format!("link {lower}"), |link| link.name.clone()),
                );
            }
            None => {}
        }
        self.0.values().find(|member| member.controller == Some(ifindex)).map(|member| member.name.clone())
    }
}

impl FromIterator<(IfIndex, OutputLink)> for OutputLinks {
    fn from_iter<T: IntoIterator<Item = (IfIndex, OutputLink)>>(links: T) -> Self {
        Self(links.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(index: u32, kind: InfoKind, attributes: Vec<LinkAttribute>) -> LinkMessage {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.link_layer_type = LinkLayerType::Ether;
        message.attributes = vec![
            LinkAttribute::IfName(format!("l{index}")),
            LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]),
        ];
        message.attributes.extend(attributes);
        message
    }

    #[test]
    fn links_that_send_by_another_one_are_found() {
        let links: OutputLinks = [
            message(1, InfoKind::Veth, vec![LinkAttribute::Link(2)]),
            message(2, InfoKind::Vlan, vec![LinkAttribute::Link(1)]),
            message(3, InfoKind::MacVlan, vec![LinkAttribute::Link(2), LinkAttribute::LinkNetNsId(0)]),
            message(4, InfoKind::Bridge, Vec::new()),
            message(5, InfoKind::Veth, vec![LinkAttribute::Link(1), LinkAttribute::Controller(4)]),
        ]
        .iter()
        .filter_map(parse)
        .collect();
        let lower = |index| links.lower_of(IfIndex::new(index).unwrap());
        assert_eq!(lower(1), None, "the peer of a veth");
        assert_eq!(lower(2).as_deref(), Some("l1"));
        assert_eq!(lower(3).as_deref(), Some("a link of another network namespace"));
        assert_eq!(lower(4).as_deref(), Some("l5"));
        assert_eq!(lower(5), None, "a member of a bridge sends by itself");
    }

    #[test]
    fn announcements_of_parts_are_ignored() {
        let mut part = message(1, InfoKind::Veth, Vec::new());
        part.header.interface_family = AddressFamily::Bridge;
        assert_eq!(parse(&part), None);
    }
}
