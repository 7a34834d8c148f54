//! CPU time of a daemon with 16 ports and without traffic.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Notes;
use crate::interrupt::nap;
use crate::peers::{Context, Setup, Trunkpath};
use crate::threads;

const PORTS: usize = 16;
const CALM_DOWN: Duration = Duration::from_secs(2);
const WINDOW: Duration = Duration::from_secs(10);

pub fn run(context: &Context, notes: &mut Notes<'_>) -> Result<()> {
    let trunkpath = Trunkpath::start(context, &Setup { ports: PORTS, ..Setup::new(context) })?;
    nap(CALM_DOWN)?;
    let ran = || threads::on_cpu_ns(&threads::named(trunkpath.daemon.pid(), "")) as f64;
    let (before, since) = (ran(), Instant::now());
    nap(WINDOW)?;
    let share = (ran() - before) / since.elapsed().as_nanos() as f64;
    notes.add(format!("{PORTS} ports without traffic, all threads"), 100.0 * share, "% of a CPU");
    Ok(())
}
