//! Forwarding in the kernel, by the thread of the generator or of the link.

use std::collections::BTreeSet;
use std::os::fd::AsFd as _;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use libbpf_rs::{MapCore as _, MapFlags, MapHandle, Object};
use nix::unistd::Pid;

use super::{Context, Kind, Peer};
use crate::bpf::{self, Hook, program};
use crate::frames::Expected;
use crate::job::{Job, P3, P4, subport, vids};
use crate::sink::Sink;
use crate::testbed::Testbed;
use crate::threads;
use testkit::command::succeed;
use testkit::frame::Mac;
use testkit::netns::Netns;

/// A testbed whose links forward.
#[derive(Debug)]
pub struct Kernel {
    _object: Object,
    threads: Vec<Pid>,
    testbed: Testbed,
}

impl Kernel {
    pub fn start(context: &Context, kind: Kind) -> Result<Self> {
        let hook = if kind == Kind::Tc { Hook::Tc } else { Hook::Xdp };
        let testbed = Testbed::new(&context.programs, &kind.to_string(), hook)?;
        if hook == Hook::Tc {
            testbed.receive_without_xdp();
        }
        let object = context.programs.open("kernel")?.load().context("loading the kernel's trunk")?;
        fill(&object, &testbed.dut)?;
        let name = if hook == Hook::Tc { "trunk_tc" } else { "trunk_xdp" };
        for link in ["p1", "p3", "p4"] {
            bpf::attach(&testbed.dut, link, program(&object, name)?.as_fd(), hook)?;
        }
        let threads = if kind == Kind::XdpOwnCore {
            own_threads(&testbed.dut, context.datapath_cpu)?
        } else {
            Vec::new()
        };
        Ok(Self { _object: object, threads, testbed })
    }
}

impl Peer for Kernel {
    fn testbed(&self) -> &Testbed {
        &self.testbed
    }

    fn threads(&self) -> Vec<Pid> {
        self.threads.clone()
    }
}

/// A testbed whose first link drops everything: its sink is on the near side of the cable.
#[derive(Debug)]
pub struct Ceiling {
    /// Sinks at p1 and p3.
    sinks: [Sink; 2],
    testbed: Testbed,
}

impl Ceiling {
    pub fn start(context: &Context) -> Result<Self> {
        let testbed = Testbed::new(&context.programs, "ceiling", Hook::Xdp)?;
        let sink = |link| Sink::new(&context.programs, &testbed.dut, link, Hook::Xdp);
        Ok(Self { sinks: [sink("p1")?, sink("p3")?], testbed })
    }
}

impl Peer for Ceiling {
    fn testbed(&self) -> &Testbed {
        &self.testbed
    }

    fn sink(&self, job: Job) -> Result<&Sink> {
        let sink = &self.sinks[usize::from(job.from() == 3)];
        sink.expect(&Expected::departing(job))?;
        Ok(sink)
    }

    fn threads(&self) -> Vec<Pid> {
        Vec::new()
    }
}

/// Fills the tables for every VID, in both directions.
fn fill(object: &Object, netns: &Netns) -> Result<()> {
    let map = |name: &str| {
        let map = object.maps().find(|map| map.name() == name).context("a map is missing")?;
        anyhow::Ok(MapHandle::try_from(&map)?)
    };
    let (routes, links) = (map("routes")?, map("links")?);
    // The kernel looks up the links in the namespace of the process that writes the map.
    netns.enter(|| {
        let [p1, p3, p4] = ["p1", "p3", "p4"].map(|link| nix::net::if_::if_nametoindex(link).unwrap());
        for link in [p1, p3, p4] {
            let bytes = link.to_ne_bytes();
            links.update(&bytes, &bytes, MapFlags::ANY)?;
        }
        let route = |from: u32, vid: u16, to: Mac, next: u32, push: u16| {
            let key = [&from.to_ne_bytes()[..], &vid.to_ne_bytes(), &to].concat();
            let value = [next.to_ne_bytes(), u32::from(push).to_ne_bytes()].concat();
            routes.update(&key, &value, MapFlags::ANY)
        };
        for vid in vids() {
            route(p1, vid, P3, p3, 0)?;
            route(p3, 0, subport(vid), p1, vid)?;
        }
        Ok(route(p3, 0, P4, p4, 0)?)
    })
}

/// Gives the links poll threads of their own, on `cpu`.
fn own_threads(netns: &Netns, cpu: usize) -> Result<Vec<Pid>> {
    let before: BTreeSet<_> = threads::processes("napi/p").into_iter().collect();
    for link in ["p1", "p3"] {
        let line = format!("echo 1 >/sys/class/net/{link}/threaded");
        succeed(netns.command("sh").args(["-c", &line]), "");
    }
    // A new thread gets its name some time after its start.
    sleep(Duration::from_millis(200));
    let threads: Vec<_> =
        threads::processes("napi/p").into_iter().filter(|pid| !before.contains(pid)).collect();
    ensure!(threads.len() == 2, "the kernel made {} poll threads for two links", threads.len());
    threads.iter().try_for_each(|thread| threads::pin(*thread, cpu))?;
    Ok(threads)
}
