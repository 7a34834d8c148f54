//! The records that the datapath needs, typed.

use std::net::IpAddr;
use std::sync::Arc;

use super::fields::Fields;
use super::{Record, RecordError};
use crate::types::{Id, MacAddr, NetworkKey, PortKey, Segmentation};

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

/// A record's fields and id, when the id is also the one in its key.
fn open(record: &Record) -> Result<(Fields<'_>, Id), RecordError> {
    let fields = Fields::of(&record.json)?;
    let id = fields.required_text("id")?;
    if id == record.id {
        Ok((fields, id.into()))
    } else {
        let expected = format!("{:?}, the id in the record's key", record.id);
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
    /// Reads a record of table `lport`.
    pub(super) fn read(record: &Record) -> Result<Self, RecordError> {
        let (fields, id) = open(record)?;
        Ok(Self {
            id,
            key: fields.key("unique_key")?,
            name: fields.text("name")?.unwrap_or_default().into(),
            lswitch: fields.required_text("lswitch")?.into(),
            macs: fields.list("macs", "a MAC address as in fa:16:3e:00:01:66")?.into(),
            enabled: fields.flag("enabled")?.unwrap_or(true),
            chassis: fields.object("binding", "binding.")?.map(chassis).transpose()?.flatten(),
        })
    }
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
