//! A change of the links of the namespace.

use std::net::IpAddr;

use super::link::Link;
use super::table::Links;
use crate::types::IfIndex;

/// A change of one link, or all links after a loss of announcements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// A link was created, or has other properties than before.
    Changed(Link),
    /// A link was deleted, or moved to another namespace.
    Gone(IfIndex),
    /// The host has an IP address more on a link.
    AddressAdded(IfIndex, IpAddr),
    /// The host has an IP address less on a link.
    AddressRemoved(IfIndex, IpAddr),
    /// Announcements were lost because the socket's buffer was full: all links that exist now.
    Resync(Links),
}

impl LinkEvent {
    /// Brings `links` up to date.
    pub fn apply(self, links: &mut Links) {
        match self {
            Self::Changed(link) => links.insert(link),
            Self::Gone(ifindex) => links.remove(ifindex),
            Self::AddressAdded(ifindex, address) => links.add_address(ifindex, address),
            Self::AddressRemoved(ifindex, address) => links.remove_address(ifindex, address),
            Self::Resync(all) => *links = all,
        }
    }

    /// The link with this ifindex after the event, if the event contains it.
    #[must_use]
    pub fn link(&self, ifindex: IfIndex) -> Option<&Link> {
        match self {
            Self::Changed(link) => Some(link).filter(|link| link.ifindex == ifindex),
            Self::Gone(_) | Self::AddressAdded(..) | Self::AddressRemoved(..) => None,
            Self::Resync(all) => all.get(ifindex),
        }
    }

    /// The links of which `links` has other properties than the event, or which only one of them has.
    #[must_use]
    pub fn changed(&self, links: &Links) -> Vec<IfIndex> {
        let concerned: Vec<_> = match self {
            Self::Changed(link) => vec![link.ifindex],
            Self::Gone(ifindex) => vec![*ifindex],
            Self::AddressAdded(ifindex, _) | Self::AddressRemoved(ifindex, _) => return vec![*ifindex],
            Self::Resync(all) => {
                let new = all.iter().map(|link| link.ifindex).filter(|ifindex| links.get(*ifindex).is_none());
                links.iter().map(|link| link.ifindex).chain(new).collect()
            }
        };
        let is_changed = |ifindex: &IfIndex| links.get(*ifindex) != self.link(*ifindex);
        let moved = |ifindex: &IfIndex| {
            let Self::Resync(all) = self else { return false };
            links.address_of(*ifindex) != all.address_of(*ifindex)
        };
        concerned.into_iter().filter(|ifindex| is_changed(ifindex) || moved(ifindex)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::links::test_link;

    #[test]
    fn only_what_differs_has_changed() {
        let links: Links = (1..=3).map(|index| test_link(index, &format!("l{index}"), None)).collect();
        let index = |number| IfIndex::new(number).unwrap();
        let renamed = test_link(2, "new", None);
        let changed = |event: &LinkEvent| event.changed(&links);
        assert_eq!(changed(&LinkEvent::Changed(test_link(2, "l2", None))), []);
        assert_eq!(changed(&LinkEvent::Changed(renamed.clone())), [index(2)]);
        assert_eq!(changed(&LinkEvent::Gone(index(1))), [index(1)]);
        assert_eq!(changed(&LinkEvent::Gone(index(9))), []);
        let all = [test_link(1, "l1", None), renamed, test_link(4, "l4", None)].into_iter().collect();
        assert_eq!(changed(&LinkEvent::Resync(all)), [2, 3, 4].map(index));
    }
}
