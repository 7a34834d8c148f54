//! The northbound DB on a redis server, in Dragonflow's layout.
//!
//! Redis keeps no history. A watch delivers the difference between what it has delivered and what is stored:
//! for single records when an event arrives (keyspace notifications, Dragonflow's messages), and for all of
//! them at an interval, because events may be lost. So the changes lead to the right state, but several
//! changes of one record may arrive as one, and those of another program's transaction separately.
//!
//! A revision is the server's clock in microseconds, kept ascending.

mod address;
mod commit;
mod db;
mod hint;
mod key;
mod message;
mod picture;
mod read;
mod reading;
mod reports;
mod session;
mod store;
mod transact;
mod watch;

pub(super) use self::reports::Expiring;
pub(super) use self::store::Redis;
