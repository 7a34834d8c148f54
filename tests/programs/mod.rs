//! Programs that users run, through security groups: each works exactly while rules allow what it sends. The
//! tests need root; `scripts/test` runs them.
//!
//! ```text
//!   client                            server (a router)                behind
//!   10.1.0.1 ----- the switch ----- 10.1.0.2, 10.2.0.1 ----- 10.2.0.2, 10.2.0.3
//!   fd01::1                         fd01::2,  fd02::1        fd02::2,  fd02::3
//! ```

mod clients;
mod place;
mod placements;
mod servers;
mod session;
mod table;
