//! The kinds of records: one file each, and the list of all.
//!
//! The file of a kind holds its [`Schema`], the rules for writers. A kind that the datapath needs also has a
//! type there that implements [`Row`]: how it is parsed, and by what it is found. `docs/adding-a-record.md`
//! has the steps.

mod chassis;
mod floatingip;
mod kinds;
mod lport;
mod lrouter;
mod lsubnet;
mod lswitch;
mod others;
mod secgroup;
mod segmentation;

use std::fmt;

use kinds::kinds;

use super::collection::{AnyCollection, Collection};
use super::schema::Schema;
use super::texts::Texts;
use super::{Northbound, Record, RecordError};
use crate::types::{Claim, Id};

pub use chassis::Chassis;
#[cfg(feature = "daemon")]
pub use chassis::write_chassis;
pub use lport::{Binding, LogicalPort, Membership};
pub use lswitch::LogicalSwitch;
pub use secgroup::{SecurityGroup, StatelessGroup};
pub use segmentation::ChildPortSegmentation;
#[cfg(feature = "daemon")]
pub use segmentation::segmentation_id;

// Table, its name in keys and in the CLI, the rules for its writers; and, if the datapath reads it, its
// collection in `Collections` and the type of its rows. The order is Dragonflow's: a table follows those that
// its records refer to.
kinds! {
    /// Peers of BGP speakers.
    BgpPeer "bgp_peer" Schema::OPEN;
    /// Quality-of-service policies with their rules.
    QosPolicy "qospolicy" others::QOS_POLICY;
    /// Neutron processes that listen for events.
    Listener "listener" others::LISTENER;
    /// Security groups with their rules.
    SecurityGroup "secgroup" secgroup::SCHEMA => secgroups: SecurityGroup;
    /// Security groups whose rules are applied to each packet by itself.
    StatelessGroup "stateless_secgroup" secgroup::STATELESS_SCHEMA => stateless_groups: StatelessGroup;
    /// Hosts, and the addresses of their tunnel endpoints.
    Chassis "chassis" chassis::SCHEMA => chassis: Chassis;
    /// Publishers of Dragonflow's events.
    Publisher "publisher" others::PUBLISHER;
    /// BGP speakers with their networks.
    BgpSpeaker "bgp_speaker" Schema::OPEN;
    /// Agents, each with the time of its last report.
    Service "service" others::SERVICE;
    /// Logical switches, that is, networks.
    Lswitch "lswitch" lswitch::SCHEMA => lswitches: LogicalSwitch;
    /// Logical routers with their ports.
    LogicalRouter "lrouter" lrouter::SCHEMA;
    /// Subnets with their DHCP settings.
    Lsubnet "lsubnet" lsubnet::SCHEMA;
    /// Logical ports: parents, subports, remote ports.
    Lport "lport" lport::SCHEMA => lports: LogicalPort;
    /// Floating IP addresses of ports.
    FloatingIp "floatingip" floatingip::SCHEMA;
    /// Segmentations: a tag of a parent, and the subport behind it.
    ChildPortSegmentation "child_port_segmentation" segmentation::SCHEMA => segmentations: ChildPortSegmentation;
    /// Live migrations under way.
    Migration "migration" others::MIGRATION;
    /// Service function chaining: port pairs.
    SfcPortPair "sfc_portpair" Schema::OPEN;
    /// Ports that an allowed address pair was detected on.
    ActivePort "activeport" others::ACTIVE_PORT;
    /// Service function chaining: flow classifiers.
    SfcFlowClassifier "sfc_flowclassifier" Schema::OPEN;
    /// Service function chaining: port pair groups.
    SfcPortPairGroup "sfc_portpairgroup" Schema::OPEN;
    /// Service function chaining: port chains.
    SfcPortChain "sfc_portchain" Schema::OPEN;
}

/// Records whose claims are held since a change, or no longer.
pub(super) type Affected = Vec<(Table, Id)>;

/// The ids by which an index finds a row: those of the records that the row refers to.
pub(super) type IndexedIds<R> = fn(&R) -> &[Id];

/// What the list above says of a kind of record that the datapath reads. The list implements it.
pub(super) trait Listed: Sized {
    const TABLE: Table;

    fn collection(all: &mut Collections) -> &mut Collection<Self>
    where
        Self: Row;
}

/// A kind of record that the datapath reads. Its rows are in a [`Collection`].
pub(super) trait Row: Listed + fmt::Debug + Clone + PartialEq + 'static {
    /// The secondary indexes that the collection keeps, for [`Collection::having`].
    const INDEXES: &'static [IndexedIds<Self>] = &[];
    /// The `unique_key`, which is claimed for this kind; [`Infallible`](std::convert::Infallible) if the kind
    /// has none.
    type Key: fmt::Debug + Copy + Ord + Into<Claim>;

    /// Parses a record of [`TABLE`](Listed::TABLE), leniently: unknown fields are ignored.
    fn parse(record: &Record) -> Result<Self, RecordError>;

    fn id(&self) -> &Id;

    /// The unique key. The first row that claims a key holds it; its heir is the row with the lowest id.
    fn key(&self) -> Option<Self::Key> {
        None
    }

    /// All claims of the row, as they are kept over a restart.
    fn claims(&self) -> Vec<Claim> {
        self.key().map(Into::into).into_iter().collect()
    }

    /// Replaces the ids that other rows have as well by shared copies.
    fn share_ids(&mut self, texts: &mut Texts);

    /// Inserts or replaces the row. A kind whose change affects rows of other kinds has a function of its
    /// own.
    fn insert(self, nb: &mut Northbound, affected: &mut Affected) {
        Self::collection(&mut nb.collections).insert(self, affected);
    }

    /// Removes the row with this id, if there is one.
    fn remove(nb: &mut Northbound, id: &Id, affected: &mut Affected) {
        Self::collection(&mut nb.collections).remove(id, affected);
    }
}
