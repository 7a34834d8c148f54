//! The forwarding tables: the port of each tag, the port of each address, the link and tags of each port.
//!
//! [`Tables`] is immutable. The control thread compiles one from the records and the links ([`Compiler`]) and
//! publishes it ([`Publisher`]); a worker loads the newest once per burst ([`Reader`]).

mod claims;
mod compiler;
mod contested;
mod counters;
mod dump;
mod exit;
mod filter;
mod forwarding;
mod frequent_values;
mod identity;
mod link;
mod link_table;
mod mac_holders;
mod network;
mod outside;
mod pages;
mod pairs;
mod peer;
mod policy;
mod port;
mod publish;
mod queue_owners;
mod report;
mod slots;
mod vlan_table;

pub use compiler::{Compiler, Host, PortIds, Steering, UnderlayPath, UnderlayPaths};
pub use contested::{Announcement, ContestedAddress};
pub use counters::{CounterBook, PortCounters, PortTotals, WorkerCounters};
pub use dump::TableDump;
pub use exit::{Exit, Wrap};
pub use filter::{AddressSet, ConnectionPolicy, Filter, FilterSlot, PortFilter, QuotaSlot, Timeouts};
pub use forwarding::Tables;
pub use frequent_values::{FrequentValues, RECENT, Sighting};
pub use identity::Identity;
pub use link::LinkEntry;
pub use link_table::LocalLink;
pub use network::{MacTable, Network};
pub use outside::Outside;
pub use peer::{Path, Paths, Peer};
pub use policy::Policy;
pub use port::{MAX_NESTING, Port, Tags};
pub use publish::{Publisher, Reader};
pub use queue_owners::{QueueOwners, QueueSpread, WorkerSet};
pub use report::{PortReport, PortState};
pub use slots::{LINK_OWNER, LinkSlot, MAX_WORKERS, NetworkSlot, PeerSlot, PortSlot, WorkerId};
pub use vlan_table::{TagMeaning, VlanTable};
