//! All disturbances at once, for a chosen time: `scripts/soak`.
//!
//! Links, records and security groups change, guests flood, and the NB DB fails, under traffic. In the end every
//! frame must be accounted for, no connection may be left, and the daemon must hold the same resources as before.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench prints, and ends when it cannot go on"
)]

mod balance;
mod guarded;
mod round;

use std::time::{Duration, Instant};

use balance::Balance;
use guarded::connections;
use round::Soak;
use testkit::nb_servers::with_etcd;
use testkit::resources::Held;

fn main() {
    // `cargo bench` adds this argument.
    let argument = std::env::args().skip(1).find(|argument| argument != "--bench");
    let Some(minutes) = argument.and_then(|argument| argument.parse().ok()) else {
        println!("soak: needs root and some minutes, so it does not run by itself: `scripts/soak` runs it");
        return;
    };
    soak(Duration::from_mins(minutes));
}

fn soak(time: Duration) {
    with_etcd(1, |testbed, servers| {
        let mut soak = Soak::start(testbed);
        // Warm-up: memory that is allocated once is not counted as leaked.
        soak.round(testbed, servers);
        soak.restore(testbed, servers);
        let before = Held::by(testbed.daemon());
        println!("before: {before}");

        let start = Instant::now();
        let mut rounds = 0;
        while start.elapsed() < time {
            let broken = soak.round(testbed, servers);
            rounds += 1;
            let seconds = start.elapsed().as_secs();
            println!(
                "{seconds:4} s, round {rounds}, the DB {broken}: {}; {} connections",
                Balance::of(&testbed.daemon().stats()),
                connections(testbed)
            );
        }
        soak.restore(testbed, servers);
        testbed.daemon().wait_until_converged();
        let after = Held::by(testbed.daemon());
        println!("after:  {after}");
        let balance = Balance::of(&testbed.daemon().stats());
        println!("{balance}");
        balance.print_drops();
        after.assert_no_more_than(&before);
        balance.assert_even();
    });
    println!("nothing is lost, and nothing is left over");
}
