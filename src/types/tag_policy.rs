//! What becomes of tags that no segmentation has.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What becomes of a frame with a tag that no segmentation of its port has.
///
/// A priority tag (VID 0) names no VLAN, and is not meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownTags {
    /// It is the port's own, tag as it came: the specification's way.
    #[default]
    Pass,
    /// It ends.
    Drop,
}

/// [`UnknownTags`] of each port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagPolicy {
    /// For ports that neither map names.
    pub default: UnknownTags,
    /// By lswitch id, for its ports.
    pub networks: BTreeMap<String, UnknownTags>,
    /// By lport id, whatever is said for its network.
    pub ports: BTreeMap<String, UnknownTags>,
}

impl TagPolicy {
    /// What becomes of unknown tags of port `lport` on network `lswitch`.
    #[must_use]
    pub fn of(&self, lport: &str, lswitch: &str) -> UnknownTags {
        let said = self.ports.get(lport).or_else(|| self.networks.get(lswitch));
        said.copied().unwrap_or(self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_goes_before_its_network_and_that_before_the_rest() {
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
