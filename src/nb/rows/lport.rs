//! Records of ports, table `lport`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::{fmt, slice};

use ipnet::IpNet;

use super::{Affected, IndexedIds, Row, Table};
use crate::nb::fields::Fields;
use crate::nb::schema::{Field, ID, Kind, NAME, Object, Schema, TOPIC, UNIQUE_KEY, VERSION, list, may, must};
use crate::nb::texts::Texts;
use crate::nb::transaction::{By, State, Stop};
use crate::nb::{Northbound, Record, RecordError};
use crate::types::{AddressPair, AllowedSources, Id, MacAddr, PortKey, SourceRules};

pub(super) const SCHEMA: Schema = Schema {
    fields: Some(FIELDS),
    columns: &["id", "unique_key", "name", "lswitch", "macs", "ips", "enabled", "binding"],
    check: Some(check_binding),
    check_delete: Some(check_unused),
    ..Schema::OPEN
};

const FIELDS: &[Field] = &[
    ID,
    NAME,
    TOPIC,
    VERSION,
    UNIQUE_KEY,
    must("lswitch", Kind::Reference),
    list("macs", &Kind::Mac),
    list("ips", &Kind::Ip),
    list("subnets", &Kind::Reference),
    may("enabled", Kind::Flag),
    may("binding", Kind::Object(BINDING)),
    list("security_groups", &Kind::Reference),
    list("allowed_address_pairs", &Kind::Object(ADDRESS_PAIR)),
    may("port_security_enabled", Kind::Flag),
    may("device_owner", Kind::Text),
    may("device_id", Kind::Text),
    may("qos_policy", Kind::Reference),
    may("dhcp_params", Kind::Object(&[may("opts", Kind::TextMap), may("siaddr", Kind::Ip)])),
    may("binding_vnic_type", Kind::Text),
];

const BINDING: &[Field] = &[
    must("type", Kind::OneOf(&["chassis", "vtep"])),
    may("chassis", Kind::Reference),
    may("vtep_address", Kind::Ip),
];

const ADDRESS_PAIR: &[Field] = &[must("ip_address", Kind::Ip), must("mac_address", Kind::Mac)];

fn check_binding(object: &Object) -> Result<(), RecordError> {
    let Some(binding) = object.get("binding") else { return Ok(()) };
    let needed =
        if binding.get("type").is_some_and(|kind| kind == "vtep") { "vtep_address" } else { "chassis" };
    match binding.get(needed) {
        Some(_) => Ok(()),
        None => Err(RecordError::Missing(format!("binding.{needed}"))),
    }
}

/// A port that a segmentation refers to cannot be deleted.
fn check_unused(state: &dyn State, id: &str) -> Result<(), Stop> {
    for (role, by) in [("parent", By::Parent(id)), ("port", By::Port(id))] {
        if let Some((other, json)) = state.find(Table::ChildPortSegmentation, by)?.into_iter().next() {
            let text = |field: &str| json[field].as_str().unwrap_or_default().into();
            let (parent, port) = (text("parent"), text("port"));
            return Err(RecordError::StillUsed { role, other: other.into(), parent, port }.into());
        }
    }
    Ok(())
}

/// A port of a network: a VM's interface, a subport, or a port elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalPort {
    /// The id, which is also in the key of the record.
    pub id: Id,
    /// The `unique_key`, which at most one port holds.
    pub key: PortKey,
    /// The name, empty when the record has none.
    pub name: Box<str>,
    /// The id of its network, which may be missing.
    pub lswitch: Id,
    /// Its addresses; Neutron gives one.
    pub macs: Arc<[MacAddr]>,
    /// Port security and `allowed_address_pairs`; `None` without both. A record without
    /// `port_security_enabled` has no port security, as in Dragonflow.
    pub source_rules: Option<Arc<SourceRules>>,
    /// Its security groups, and the addresses that it brings into them; `None` without groups.
    pub membership: Option<Arc<Membership>>,
    /// Whether it is filtered: by its groups, or completely without any. Ports with port security are, but
    /// those of the network itself (`device_owner` `network:*`).
    pub is_filtered: bool,
    /// The admin state. A record without the field is enabled, which is Neutron's default.
    pub enabled: bool,
    /// Where the port is. A subport has none: it is where its parent is.
    pub binding: Option<Binding>,
}

/// The security groups of a port, and what the port means to their rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The ids of the groups, sorted, each once.
    pub groups: Box<[Id]>,
    /// The addresses and pairs of the port. A pair with all addresses is not among them: it would open the
    /// groups to everyone.
    pub addresses: Box<[IpNet]>,
}

impl Membership {
    /// That of a port with these addresses and pairs; `None` without groups.
    fn new(groups: Vec<String>, own: &[IpAddr], pairs: &[AddressPair]) -> Option<Self> {
        let groups: BTreeSet<_> = groups.into_iter().map(Id::from).collect();
        let ips = own.iter().copied().map(IpNet::from).chain(pairs.iter().map(|pair| pair.ips));
        let addresses: BTreeSet<_> = ips.filter(|ips| ips.prefix_len() > 0).map(|ips| ips.trunc()).collect();
        let (groups, addresses) = (groups.into_iter().collect(), addresses.into_iter().collect());
        Some(Self { groups, addresses }).filter(|membership| !membership.groups.is_empty())
    }
}

/// The place of a port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Binding {
    /// The host with this name.
    Chassis(Id),
    /// Behind the tunnel endpoint with this address, which belongs to no chassis: a hardware VTEP.
    Vtep(IpAddr),
}

impl Binding {
    /// The name of the host in views and counters.
    #[must_use]
    pub fn host_name(&self) -> Id {
        match self {
            Self::Chassis(chassis) => chassis.clone(),
            Self::Vtep(address) => address.to_string().into(),
        }
    }
}

/// Kind and name, as `chassis compute1` or `vtep 192.0.2.9`.
impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chassis(chassis) => write!(f, "chassis {chassis}"),
            Self::Vtep(address) => write!(f, "vtep {address}"),
        }
    }
}

impl LogicalPort {
    /// Position in [`Row::INDEXES`]: ports by their network.
    pub(in crate::nb) const ON_LSWITCH: usize = 0;
    /// Position in [`Row::INDEXES`]: ports by the host that they are bound to.
    pub(in crate::nb) const AT_CHASSIS: usize = 1;

    /// Position in [`Row::INDEXES`]: ports by their security groups.
    pub(in crate::nb) const IN_GROUP: usize = 2;

    /// The ids of its security groups, sorted, each once.
    #[must_use]
    pub fn groups(&self) -> &[Id] {
        self.membership.as_ref().map_or(&[], |membership| &membership.groups)
    }

    /// The host that the port is bound to.
    #[must_use]
    pub const fn chassis(&self) -> Option<&Id> {
        match &self.binding {
            Some(Binding::Chassis(chassis)) => Some(chassis),
            Some(Binding::Vtep(_)) | None => None,
        }
    }

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
}

impl Row for LogicalPort {
    const INDEXES: &'static [IndexedIds<Self>] = &[
        |port| slice::from_ref(&port.lswitch),
        |port| port.chassis().map_or(&[], slice::from_ref),
        Self::groups,
    ];
    type Key = PortKey;

    fn parse(record: &Record) -> Result<Self, RecordError> {
        let (fields, id) = Fields::with_id(record)?;
        let macs = fields.list("macs", MAC)?;
        // Without port security as well, where only their MAC addresses matter.
        let pairs = fields.objects("allowed_address_pairs", "allowed_address_pairs.")?;
        let pairs: Vec<_> = pairs.into_iter().map(address_pair).collect::<Result<_, _>>()?;
        let security = security(fields)?;
        let groups: Vec<String> = fields.list("security_groups", "the id of a group")?;
        let allowed = security.as_ref().map(|own| AllowedSources::new(&macs, own, &pairs));
        Ok(Self {
            id,
            key: fields.key("unique_key")?,
            name: fields.text("name")?.unwrap_or_default().into(),
            lswitch: fields.required_text("lswitch")?.into(),
            membership: security.as_ref().and_then(|own| Membership::new(groups, own, &pairs)).map(Arc::new),
            is_filtered: security.is_some() && !is_networks(fields)?,
            source_rules: SourceRules::new(&macs, allowed, &pairs).map(Arc::new),
            macs: macs.into(),
            enabled: fields.flag("enabled")?.unwrap_or(true),
            binding: fields.object("binding", "binding.")?.map(binding).transpose()?,
        })
    }

    fn id(&self) -> &Id {
        &self.id
    }

    fn key(&self) -> Option<PortKey> {
        Some(self.key)
    }

    fn share_ids(&mut self, texts: &mut Texts) {
        texts.share(&mut self.id);
        texts.share(&mut self.lswitch);
        if let Some(Binding::Chassis(chassis)) = &mut self.binding {
            texts.share(chassis);
        }
        if let Some(membership) = self.membership.as_mut().and_then(Arc::get_mut) {
            membership.groups.iter_mut().for_each(|group| texts.share(group));
        }
    }

    fn insert(self, nb: &mut Northbound, affected: &mut Affected) {
        let id = self.id.clone();
        if nb.collections.lports.insert(self, affected).is_none() {
            nb.hold_with(&id, affected);
        }
    }

    fn remove(nb: &mut Northbound, id: &Id, affected: &mut Affected) {
        let held = nb.held_with(id);
        if nb.collections.lports.remove(id, affected).is_some() {
            nb.release(held, affected);
        }
    }
}

/// The form of a MAC address, for error messages.
const MAC: &str = "a MAC address of two digits an octet as in fa:16:3e:00:01:66";

/// The IP addresses of a port with port security; `None` without it.
fn security(port: Fields<'_>) -> Result<Option<Vec<IpAddr>>, RecordError> {
    let is_on = port.flag("port_security_enabled")?.unwrap_or(false);
    is_on.then(|| port.list("ips", "an IP address as in 10.10.0.10")).transpose()
}

/// Whether a port belongs to the network itself.
fn is_networks(port: Fields<'_>) -> Result<bool, RecordError> {
    Ok(port.text("device_owner")?.is_some_and(|owner| owner.starts_with("network:")))
}

/// Parses an address pair. Neutron accepts a network in place of an address.
fn address_pair(pair: Fields<'_>) -> Result<AddressPair, RecordError> {
    const IPS: &str = "an IP address as in 10.10.0.10, or a network as in 10.10.0.0/24";
    let mac = pair.parsed("mac_address", MAC)?;
    let mac = mac.ok_or_else(|| pair.missing("mac_address"))?;
    let ip = pair.required_text("ip_address")?;
    let ips = ip.parse().or_else(|_| ip.parse().map(|ip: IpAddr| ip.into()));
    let ips = ips.map_err(|_| RecordError::bad("allowed_address_pairs.ip_address", &ip.into(), IPS))?;
    Ok(AddressPair { mac, ips })
}

fn binding(binding: Fields<'_>) -> Result<Binding, RecordError> {
    match binding.required_text("type")?.as_str() {
        "chassis" => Ok(Binding::Chassis(binding.required_text("chassis")?.into())),
        "vtep" => match binding.parsed("vtep_address", "an IP address")? {
            Some(address) => Ok(Binding::Vtep(address)),
            None => Err(binding.missing("vtep_address")),
        },
        other => Err(RecordError::bad("binding.type", &other.into(), "\"chassis\" or \"vtep\"")),
    }
}
