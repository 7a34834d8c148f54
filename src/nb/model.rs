//! The records that the datapath needs, typed.

use std::net::IpAddr;
use std::sync::Arc;

use super::fields::Fields;
use super::{Record, RecordError};
use crate::types::{
    AddressPair, AllowedSources, Id, MacAddr, NetworkKey, PortKey, Segmentation, SourceRules, shorten,
};

/// A network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalSwitch {
    /// The id.
    pub id: Id,
    /// The `unique_key`.
    pub key: NetworkKey,
    /// The name, empty when it has none.
    pub name: Box<str>,
    /// `vlan`, `flat`, `vxlan`, `geneve`, `gre`, `local`; not checked, as in Dragonflow.
    pub network_type: Option<String>,
    /// The largest IP packet, in bytes.
    pub mtu: Option<u32>,
}

/// A port of a network: a VM's interface, a subport, or a port elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalPort {
    /// The id.
    pub id: Id,
    /// The `unique_key`.
    pub key: PortKey,
    /// The name, empty when it has none.
    pub name: Box<str>,
    /// The id of its network, which may be missing.
    pub lswitch: Id,
    /// Its addresses; Neutron gives one.
    pub macs: Arc<[MacAddr]>,
    /// Port security and `allowed_address_pairs`; `None` without both. A record without `port_security_enabled` has no
    /// port security, as in Dragonflow.
    pub source_rules: Option<Arc<SourceRules>>,
    /// The admin state. A record that does not say is enabled, which is Neutron's default.
    pub enabled: bool,
    /// The compute node that it is on. A subport has none, for it is where its parent is; nor has a port behind a tunnel
    /// endpoint.
    pub chassis: Option<Id>,
}

/// Which tag on which parent is which port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildPortSegmentation {
    /// The id.
    pub id: Id,
    /// The id of the parent port, which may be missing.
    pub parent: Id,
    /// The id of the subport, which may be missing.
    pub port: Id,
    /// The tag.
    pub segmentation: Segmentation,
}

/// What a MAC address looks like.
const MAC: &str = "a MAC address of two digits an octet as in fa:16:3e:00:01:66";

/// A record's fields and id, when the id is also the one in its key.
fn open(record: &Record) -> Result<(Fields<'_>, Id), RecordError> {
    let fields = Fields::of(&record.json)?;
    let id = fields.required_text("id")?;
    if id == record.id {
        Ok((fields, id.into()))
    } else {
        let expected = format!("{:?}, the id in the record's key", shorten(&record.id));
        Err(RecordError::bad("id", &id.into(), expected))
    }
}

impl LogicalSwitch {
    /// Reads a record of table `lswitch`.
    pub(super) fn read(record: &Record) -> Result<Self, RecordError> {
        let (fields, id) = open(record)?;
        Ok(Self {
            id,
            key: fields.key("unique_key")?,
            name: fields.text("name")?.unwrap_or_default().into(),
            network_type: fields.text("network_type")?.map(str::to_owned),
            mtu: fields.number("mtu")?.map(|mtu| u32::try_from(mtu).unwrap_or(u32::MAX)),
        })
    }
}

impl LogicalPort {
    /// Whether the port may send from its own addresses and those of its pairs only.
    #[must_use]
    pub fn has_port_security(&self) -> bool {
        self.allowed_sources().is_some()
    }

    /// The addresses that it may send from; `None` without port security.
    #[must_use]
    pub fn allowed_sources(&self) -> Option<&AllowedSources> {
        self.source_rules.as_ref()?.allowed.as_ref()
    }

    /// Reads a record of table `lport`.
    pub(super) fn read(record: &Record) -> Result<Self, RecordError> {
        let (fields, id) = open(record)?;
        let macs = fields.list("macs", MAC)?;
        Ok(Self {
            id,
            key: fields.key("unique_key")?,
            name: fields.text("name")?.unwrap_or_default().into(),
            lswitch: fields.required_text("lswitch")?.into(),
            source_rules: source_rules(fields, &macs)?.map(Arc::new),
            macs: macs.into(),
            enabled: fields.flag("enabled")?.unwrap_or(true),
            chassis: fields.object("binding", "binding.")?.map(chassis).transpose()?.flatten(),
        })
    }
}

/// The rules for the source addresses of a port with these addresses. Pairs are checked without port security as well,
/// where only their MAC addresses matter.
fn source_rules(port: Fields<'_>, macs: &[MacAddr]) -> Result<Option<SourceRules>, RecordError> {
    let pairs = port.objects("allowed_address_pairs", "allowed_address_pairs.")?;
    let pairs: Vec<_> = pairs.into_iter().map(address_pair).collect::<Result<_, _>>()?;
    let allowed = if port.flag("port_security_enabled")?.unwrap_or(false) {
        let ips = port.list("ips", "an IP address as in 10.10.0.10")?;
        Some(AllowedSources::new(macs, &ips, &pairs))
    } else {
        None
    };
    Ok(SourceRules::new(macs, allowed, &pairs))
}

/// Neutron takes a network for an address, too.
fn address_pair(pair: Fields<'_>) -> Result<AddressPair, RecordError> {
    const IPS: &str = "an IP address as in 10.10.0.10, or a network as in 10.10.0.0/24";
    let mac = pair.parsed("mac_address", MAC)?;
    let mac = mac.ok_or_else(|| pair.missing("mac_address"))?;
    let ip = pair.required_text("ip_address")?;
    let ips = ip.parse().or_else(|_| ip.parse().map(|ip: IpAddr| ip.into()));
    let ips = ips.map_err(|_| RecordError::bad("allowed_address_pairs.ip_address", &ip.into(), IPS))?;
    Ok(AddressPair { mac, ips })
}

/// The compute node of a binding.
fn chassis(binding: Fields<'_>) -> Result<Option<Id>, RecordError> {
    match binding.required_text("type")?.as_str() {
        "chassis" => Ok(Some(binding.required_text("chassis")?.into())),
        "vtep" => match binding.parsed::<IpAddr>("vtep_address", "an IP address")? {
            Some(_) => Ok(None),
            None => Err(binding.missing("vtep_address")),
        },
        other => Err(RecordError::bad("binding.type", &other.into(), "\"chassis\" or \"vtep\"")),
    }
}

impl ChildPortSegmentation {
    /// Reads a record of table `child_port_segmentation`.
    pub(super) fn read(record: &Record) -> Result<Self, RecordError> {
        let (fields, id) = open(record)?;
        let kind = fields.required_text("segmentation_type")?;
        Ok(Self {
            id,
            parent: fields.required_text("parent")?.into(),
            port: fields.required_text("port")?.into(),
            segmentation: Segmentation::decode(&kind, fields.number("segmentation_id")?)?,
        })
    }
}
