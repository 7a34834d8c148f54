//! Outcome of frames with a tag that no segmentation has.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Outcome of a frame with a tag that no segmentation of its port has.
///
/// A priority tag (VID 0) names no VLAN, and does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownTags {
    /// The frame belongs to the port itself, with its tag unchanged, as the specification requires.
    #[default]
    Pass,
    /// The frame is dropped.
    Drop,
}

/// The [`UnknownTags`] of all ports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagPolicy {
    /// For ports in neither map.
    pub default: UnknownTags,
    /// By network id, for the ports of the network.
    pub networks: BTreeMap<String, UnknownTags>,
    /// By port id; takes precedence over the network of the port.
    pub ports: BTreeMap<String, UnknownTags>,
}

impl TagPolicy {
    /// Outcome of unknown tags of port `lport` on network `lswitch`.
    #[must_use]
    pub fn of(&self, lport: &str, lswitch: &str) -> UnknownTags {
        let found = self.ports.get(lport).or_else(|| self.networks.get(lswitch));
        found.copied().unwrap_or(self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_takes_precedence_over_its_network_and_that_over_the_default() {
        let policy = TagPolicy {
            default: UnknownTags::Pass,
            networks: BTreeMap::from([("strict".into(), UnknownTags::Drop)]),
            ports: BTreeMap::from([("trusted".into(), UnknownTags::Pass)]),
        };
        assert_eq!(policy.of("vm", "other"), UnknownTags::Pass);
        assert_eq!(policy.of("vm", "strict"), UnknownTags::Drop);
        assert_eq!(policy.of("trusted", "strict"), UnknownTags::Pass);
    }
}
