//! The datapaths, behind one trait. Each has a testbed of its own, runs during the whole bench, and is paused
//! while others are measured.

mod bare;
mod bridge;
mod daemon;
mod dpdk;
mod kernel;
mod ovs;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use nix::unistd::Pid;
use serde::Serialize;

use crate::bpf::Programs;
use crate::frames::Expected;
use crate::job::Job;
use crate::sink::Sink;
use crate::testbed::Testbed;

pub use bare::{Forward, forward};
pub use daemon::{NETWORK, PARENT_KEY, Setup, Trunkpath, subport_key};
pub use ovs::{Ovs, Ports};

/// Programs, folder and CPUs for every datapath.
#[derive(Debug)]
pub struct Context {
    pub programs: Programs,
    /// Folder for files, deleted after the run.
    pub folder: PathBuf,
    /// CPU of the generator.
    pub generator_cpu: usize,
    /// CPU of the datapath.
    pub datapath_cpu: usize,
    /// Whether the datapaths have a tunnel to the other host.
    pub tunnel: bool,
    /// Whether they have ports with security groups.
    pub groups: bool,
}

impl Context {
    /// Compiles the BPF programs. The CPUs are those of the generator and of the datapath. Datapaths have what
    /// `jobs` need.
    pub fn new(folder: PathBuf, (generator_cpu, datapath_cpu): (usize, usize), jobs: &[Job]) -> Result<Self> {
        libbpf_rs::set_print(None);
        let programs = Programs::compile(folder.join("bpf"))?;
        let (tunnel, groups) =
            (jobs.iter().any(|job| job.has_tunnel()), jobs.iter().any(|job| job.has_groups()));
        Ok(Self { programs, folder, generator_cpu, datapath_cpu, tunnel, groups })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// trunkpath run, one worker
    Trunkpath,
    /// The same sockets and rings without tables: each frame is stripped or pushed by the way it goes
    Bare,
    /// tc-BPF with one table, on the generator's core
    Tc,
    /// Native XDP with one table, on the generator's core
    Xdp,
    /// The same on the datapath's core, by threaded NAPI
    XdpOwnCore,
    /// Linux bridge with connection tracking by nftables, on the generator's core
    BridgeNft,
    /// Open vSwitch, datapath netdev, `AF_PACKET`
    OvsNetdev,
    /// Open vSwitch, type=afxdp, native mode
    OvsAfxdp,
    /// The same; ports with security groups share a zone of connections
    OvsAfxdpOneZone,
    /// Open vSwitch with DPDK, `net_af_xdp`
    OvsDpdkAfxdp,
    /// Open vSwitch with DPDK, `net_af_packet`
    OvsDpdkAfpacket,
    /// testpmd on `net_af_packet`, mac forwarding, VLAN strip
    TestpmdStrip,
    /// testpmd on `net_af_packet`, mac forwarding, VLAN insert
    TestpmdInsert,
    /// No datapath: the first link drops all
    Ceiling,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.to_possible_value().expect("no variant is hidden").get_name())
    }
}

impl Kind {
    /// The datapaths of a short run.
    pub const QUICK: [Self; 6] =
        [Self::Trunkpath, Self::Bare, Self::Tc, Self::XdpOwnCore, Self::OvsAfxdp, Self::Ceiling];

    /// Whether it needs a package that may be missing.
    pub const fn is_foreign(self) -> bool {
        !matches!(
            self,
            Self::Trunkpath
                | Self::Bare
                | Self::Tc
                | Self::Xdp
                | Self::XdpOwnCore
                | Self::BridgeNft
                | Self::Ceiling
        )
    }

    /// Starts the datapath. The error names what is missing.
    pub fn start(self, context: &Context) -> Result<Box<dyn Peer>> {
        Ok(match self {
            Self::Trunkpath => Box::new(Trunkpath::start(context, &Setup::new(context))?),
            Self::Bare => Box::new(bare::Bare::start(context)?),
            Self::Tc | Self::Xdp | Self::XdpOwnCore => Box::new(kernel::Kernel::start(context, self)?),
            Self::BridgeNft => Box::new(bridge::Bridge::start(context)?),
            Self::Ceiling => Box::new(kernel::Ceiling::start(context)?),
            Self::OvsNetdev => Box::new(ovs::Ovs::start(context, ovs::Ports::Netdev)?),
            Self::OvsAfxdp => Box::new(ovs::Ovs::start(context, ovs::Ports::Afxdp)?),
            Self::OvsAfxdpOneZone => Box::new(ovs::Ovs::start(context, ovs::Ports::AfxdpOneZone)?),
            Self::OvsDpdkAfxdp => Box::new(ovs::Ovs::start(context, ovs::Ports::DpdkAfxdp)?),
            Self::OvsDpdkAfpacket => Box::new(ovs::Ovs::start(context, ovs::Ports::DpdkAfpacket)?),
            Self::TestpmdStrip => Box::new(dpdk::Testpmd::start(context, dpdk::Work::Strip)?),
            Self::TestpmdInsert => Box::new(dpdk::Testpmd::start(context, dpdk::Work::Insert)?),
        })
    }

    /// Reason why it cannot do a job, if it cannot.
    pub fn refuses(self, job: Job) -> Option<&'static str> {
        use crate::job::Direction::{Decap, Down, Encap, GroupsDown, GroupsUp, Plain, Up};
        match (self, job.direction) {
            (
                Self::Trunkpath
                | Self::OvsNetdev
                | Self::OvsAfxdp
                | Self::OvsDpdkAfxdp
                | Self::OvsDpdkAfpacket,
                _,
            )
            | (Self::BridgeNft | Self::OvsAfxdpOneZone, GroupsUp | GroupsDown) => None,
            (Self::OvsAfxdpOneZone, _) => Some("it is ovs-afxdp without security groups"),
            (Self::BridgeNft, _) => Some("it has only the ports with security groups"),
            (_, Encap | Decap) => Some("it has no tunnel"),
            (_, GroupsUp | GroupsDown) => Some("it has no security groups"),
            (Self::Bare | Self::TestpmdStrip | Self::TestpmdInsert, Plain) => {
                Some("it always strips or pushes")
            }
            (Self::TestpmdStrip, Down) => Some("it only strips"),
            (Self::TestpmdInsert, Up) => Some("it only inserts"),
            (Self::TestpmdInsert, Down) if job.vids > 1 => Some("it inserts one VID"),
            _ => None,
        }
    }
}

/// A running datapath and its testbed.
pub trait Peer {
    fn testbed(&self) -> &Testbed;

    /// The sink for the frames of `job`, set to what is expected.
    fn sink(&self, job: Job) -> Result<&Sink> {
        let sink = self.testbed().sink(job.to());
        sink.expect(&Expected::arriving(job))?;
        Ok(sink)
    }

    /// Threads that forward its frames; none if they are forwarded on the generator's.
    fn threads(&self) -> Vec<Pid>;

    /// Drops so far, by its own counters.
    fn drops(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }

    /// Busy cycles per frame since the last call, by its own counters.
    fn busy_cycles(&self) -> Option<f64> {
        None
    }

    fn pause(&self) {}

    fn resume(&self) {}
}
