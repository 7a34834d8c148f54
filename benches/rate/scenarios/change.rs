//! Subports are added and removed while unrelated frames pass.

use std::time::{Duration, Instant};

use anyhow::Result;
use trunkpath::nb::{self, Op, Table};

use super::Notes;
use crate::generator::Way;
use crate::interrupt::{self, nap};
use crate::job::{Job, subport};
use crate::measure::{all_drops, more, offer};
use crate::peers::{Context, NETWORK, Ovs, PARENT_KEY, Peer, Ports, Setup, Trunkpath, subport_key};
use testkit::records::{port, segmentation};

/// Rate of the observed flow, in frames per second.
const RATE: u32 = 100_000;
/// VIDs that are added and removed; the testbed uses lower ones.
const VIDS: std::ops::Range<u16> = 2000..4000;
/// The same for OVS, whose command takes about 30 ms to start.
const OVS_VIDS: std::ops::Range<u16> = 2000..2200;
/// Time for frames in flight, before and after.
const DRAIN: Duration = Duration::from_millis(200);
/// Time without changes, to measure the losses of the flow itself.
const QUIET: Duration = Duration::from_secs(5);

pub fn run(context: &Context, notes: &mut Notes<'_>) -> Result<()> {
    let trunkpath = Trunkpath::start(context, &Setup::new(context))?;
    watched(context, &trunkpath, "trunkpath, no change", notes, || nap(QUIET))?;
    let what = format!("trunkpath, {} subports added and removed one by one", VIDS.len());
    watched(context, &trunkpath, &what, notes, || change_trunkpath(&trunkpath))?;
    drop(trunkpath);
    match Ovs::start(context, Ports::Afxdp) {
        Ok(ovs) => {
            watched(context, &ovs, "ovs-afxdp, no change", notes, || nap(QUIET))?;
            let what = format!("ovs-afxdp, {} subports added and removed one by one", OVS_VIDS.len());
            watched(context, &ovs, &what, notes, || change_ovs(&ovs))
        }
        Err(error) => {
            notes.miss("ovs-afxdp", &error);
            Ok(())
        }
    }
}

/// Counts the lost frames of the flow during `work`.
fn watched(
    context: &Context,
    peer: &dyn Peer,
    what: &str,
    notes: &mut Notes<'_>,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let job = Job::UP;
    let sink = peer.sink(job)?;
    let drops = all_drops(peer, job);
    let before = sink.counts()?.right;
    let generator = offer(context, peer, job, Some(RATE), Way::Live)?;
    let since = Instant::now();
    nap(DRAIN)?;
    work()?;
    let seconds = since.elapsed().as_secs_f64();
    let sent = generator.stop()?;
    nap(DRAIN)?;
    let lost = sent - (sink.counts()?.right - before);
    let mut remarks = vec![format!("of {sent}, in {seconds:.1} s")];
    if (sent as f64) < 0.95 * seconds * f64::from(RATE) {
        remarks.push(format!("the generator reached {:.0} of {RATE} frames a second", sent as f64 / seconds));
    }
    let drops = more(&drops, &all_drops(peer, job));
    remarks.extend(drops.iter().map(|(place, count)| format!("{place} {count}")));
    notes.add_with(format!("{what}: lost"), lost as f64, "frames", &remarks.join("; "));
    Ok(())
}

fn change_trunkpath(trunkpath: &Trunkpath) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let db = nb::open(&trunkpath.db()).await?;
        let ports = VIDS.map(|vid| port(subport_key(vid), NETWORK, "sub", subport(vid), false));
        db.transact(
            ports.map(|line| Op::Put { table: Table::Lport, json: line["record"].clone() }).collect(),
        )
        .await?;
        for vid in VIDS {
            interrupt::check()?;
            db.transact(vec![Op::Put { table: Table::ChildPortSegmentation, json: record(vid) }]).await?;
        }
        for vid in VIDS {
            interrupt::check()?;
            db.transact(vec![Op::Delete { table: Table::ChildPortSegmentation, id: id(vid) }]).await?;
        }
        Ok(())
    })
}

fn record(vid: u16) -> serde_json::Value {
    let mut record = segmentation(PARENT_KEY, subport_key(vid), vid)["record"].clone();
    record["id"] = id(vid).into();
    record
}

fn id(vid: u16) -> String {
    format!("segmentation-{vid}")
}

fn change_ovs(ovs: &Ovs) -> Result<()> {
    for vid in OVS_VIDS {
        interrupt::check()?;
        ovs.add_subport(vid)?;
    }
    for vid in OVS_VIDS {
        interrupt::check()?;
        ovs.remove_subport(vid)?;
    }
    Ok(())
}
