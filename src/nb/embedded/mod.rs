//! The northbound DB in a SQLite file, for one host: for trials, single hosts and tests.
//!
//! Several processes may use the file at once (write-ahead log: readers never wait). A process that is killed
//! leaves only whole transactions.

mod db;
mod failure;
mod file;
mod file_watch;
mod reports;
mod state;
mod store;
mod watch;

pub(crate) use self::failure::describe as describe_sqlite;
pub(super) use self::reports::Expiring;
pub(super) use self::store::Embedded;
