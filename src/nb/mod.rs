//! The northbound DB: the records of networks and ports, in Dragonflow's layout.
//!
//! [`NorthboundDb`] is the interface of a store, with one implementation for each kind, opened by URL
//! ([`open`]). Records are read and written as Dragonflow's own JSON. Two rules hold for every store:
//!
//! * Readers are lenient. [`Northbound`] parses what the datapath needs, ignores unknown fields, and reports
//!   an invalid record as a [`crate::types::Problem`] without effect on the others.
//! * Writers are strict. A transaction is checked as a whole before any of it is stored, and a record is
//!   completed so that Dragonflow's strict readers accept it.

mod check;
mod claims;
mod collection;
mod db;
#[cfg(feature = "daemon")]
mod draft;
#[cfg(feature = "daemon")]
mod embedded;
mod error;
#[cfg(feature = "daemon")]
mod etcd;
mod fields;
#[cfg(feature = "daemon")]
mod freshness;
mod index;
#[cfg(feature = "daemon")]
mod masked;
mod northbound;
#[cfg(feature = "daemon")]
mod redis;
#[cfg(feature = "daemon")]
mod reports;
mod rows;
mod schema;
mod table;
mod texts;
mod transaction;
#[cfg(feature = "daemon")]
mod url;

pub(crate) use claims::Claims;
pub use db::{Change, ChangeSet, Committed, Effect, NorthboundDb, Op, Record, RecordId, Revision, Snapshot};
#[cfg(feature = "daemon")]
pub(crate) use embedded::describe_sqlite;
pub use error::{NbError, RecordError};
pub(crate) use index::compact;
#[cfg(feature = "daemon")]
pub use masked::masked;
pub(crate) use northbound::in_order;
pub use northbound::{Edit, Northbound};
#[cfg(feature = "daemon")]
pub use reports::Reports;
pub use rows::{
    Binding, Chassis, ChildPortSegmentation, LogicalPort, LogicalSwitch, Membership, SecurityGroup,
    StatelessGroup, Table,
};
#[cfg(feature = "daemon")]
pub use rows::{segmentation_id, write_chassis};
pub use table::TableError;
#[cfg(feature = "daemon")]
pub use url::{DEFAULT_URL, check_url, is_remote, open, open_existing, reports};
