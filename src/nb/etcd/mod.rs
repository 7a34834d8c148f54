//! The northbound DB in etcd, with Dragonflow's keys.
//!
//! Requires etcd 3.4 or later (answers to progress requests of watches). With access control the user's role
//! needs permission to read the keys from `PREFIX/activeport/` to `PREFIX/sfc_portpairgroup0`, or all of
//! `PREFIX/`; a writer needs permission to write the same, and `PREFIX/unique_key/` and `PREFIX/trunkpath/`.

mod address;
mod cluster;
mod db;
mod error;
mod history;
mod layout;
mod read;
mod reports;
mod store;
mod transact;
mod watch;

pub(super) use self::reports::Leased;
pub(super) use self::store::Etcd;
