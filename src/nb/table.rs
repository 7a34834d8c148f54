//! The tables of the northbound DB (Dragonflow's model classes).

use std::fmt;
use std::str::FromStr;

use crate::types::shorten;

/// A text that names no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown table {:?}: {hint}", shorten(name))]
pub struct TableError {
    name: String,
    hint: String,
}

macro_rules! tables {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A table. The order is Dragonflow's: a table comes after those that its records refer to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Table {
            $($(#[$doc])* $variant,)*
        }

        impl Table {
            /// Every table, referred-to before referring.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in keys and in the CLI.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

tables! {
    /// BGP peers.
    BgpPeer = "bgp_peer",
    /// Quality-of-service policies with their rules.
    QosPolicy = "qospolicy",
    /// Neutron processes that listen for events.
    Listener = "listener",
    /// Security groups with their rules.
    SecurityGroup = "secgroup",
    /// Compute nodes.
    Chassis = "chassis",
    /// Publishers of Dragonflow's events.
    Publisher = "publisher",
    /// BGP speakers.
    BgpSpeaker = "bgp_speaker",
    /// Agents and when each was last seen.
    Service = "service",
    /// Logical switches, that is, networks.
    Lswitch = "lswitch",
    /// Logical routers with their ports.
    LogicalRouter = "lrouter",
    /// Subnets.
    Lsubnet = "lsubnet",
    /// Logical ports: parents, subports, remote ports.
    Lport = "lport",
    /// Floating IP addresses.
    FloatingIp = "floatingip",
    /// Segmentations: which tag on which parent is which port.
    ChildPortSegmentation = "child_port_segmentation",
    /// Live migrations under way.
    Migration = "migration",
    /// Service function chaining: port pairs.
    SfcPortPair = "sfc_portpair",
    /// Where an allowed address pair was seen.
    ActivePort = "activeport",
    /// Service function chaining: flow classifiers.
    SfcFlowClassifier = "sfc_flowclassifier",
    /// Service function chaining: port pair groups.
    SfcPortPairGroup = "sfc_portpairgroup",
    /// Service function chaining: port chains.
    SfcPortChain = "sfc_portchain",
}

impl FromStr for Table {
    type Err = TableError;

    fn from_str(name: &str) -> Result<Self, TableError> {
        Self::ALL.iter().copied().find(|table| table.name() == name).ok_or_else(|| {
            let names = || Self::ALL.iter().map(|table| table.name());
            let hint = match super::error::nearest(name, names()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("expected one of {}", names().collect::<Vec<_>>().join(", ")),
            };
            TableError { name: name.to_owned(), hint }
        })
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_a_near_miss_gets_a_hint() {
        for table in Table::ALL {
            assert_eq!(table.name().parse::<Table>().as_ref(), Ok(table));
        }
        let error = "lports".parse::<Table>().unwrap_err().to_string();
        assert_eq!(error, "unknown table \"lports\": did you mean \"lport\"?");
        let error = "zzz".parse::<Table>().unwrap_err().to_string();
        assert!(error.contains("expected one of bgp_peer,"), "{error}");
    }
}
