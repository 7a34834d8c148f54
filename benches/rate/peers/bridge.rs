//! A bridge of the kernel, on which nftables filters by connection tracking, by the thread of the generator.
//!
//! The bridge's packets pass the rules of IP (`br_netfilter`), and are looked up once, not once for each port. BPF
//! programs strip and push the parent's tag.

use std::fs;
use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result};
use libbpf_rs::Object;
use nix::unistd::Pid;

use super::{Context, Peer};
use crate::bpf::{self, Hook, program};
use crate::frames::{CLIENT, SERVER, SERVER_PORT};
use crate::job::{FILTERED_VID, P2, subport};
use crate::testbed::Testbed;
use testkit::command::succeed;
use testkit::records::text;

/// A bridge between p1, the parent's link, and p2.
#[derive(Debug)]
pub struct Bridge {
    _object: Object,
    testbed: Testbed,
}

impl Bridge {
    pub fn start(context: &Context) -> Result<Self> {
        let testbed = Testbed::new(&context.programs, "bridge", Hook::Tc)?;
        testbed.receive_without_xdp();
        let object = context.programs.open("kernel")?.load().context("loading the kernel's trunk")?;
        bpf::attach(&testbed.dut, "p1", program(&object, "strip_tc")?.as_fd(), Hook::Tc)?;
        bpf::attach_egress(&testbed.dut, "p1", program(&object, "push_tc")?.as_fd())?;
        testbed.dut.enter(|| {
            let path = "/proc/sys/net/bridge/bridge-nf-call-iptables";
            fs::write(path, "1").with_context(|| format!("{path}: CONFIG_BRIDGE_NETFILTER"))
        })?;
        succeed(testbed.dut.command("nft").args(["-f", "-"]), &rules());
        testbed.dut.ip("link add br0 type bridge mcast_snooping 0");
        testbed.dut.ip("link set br0 addrgenmode none up");
        testbed.dut.ip("link set p1 master br0");
        testbed.dut.ip("link set p2 master br0");
        Ok(Self { _object: object, testbed })
    }
}

impl Peer for Bridge {
    fn testbed(&self) -> &Testbed {
        &self.testbed
    }

    fn threads(&self) -> Vec<Pid> {
        Vec::new()
    }
}

/// Port security by the addresses of each port, and the rules of both. The family inet sees the bridge as the
/// link, and not its ports: a mark has the sender.
fn rules() -> String {
    let (client, server) = (text(subport(FILTERED_VID)), text(P2));
    format!(
        "table bridge ports {{
            chain prerouting {{
                type filter hook prerouting priority -300; policy drop
                iifname p1 ether saddr {client} ip saddr {CLIENT} meta mark set 1 accept
                iifname p2 ether saddr {server} ip saddr {SERVER} meta mark set 2 accept
            }}
        }}
        table inet groups {{
            chain forward {{
                type filter hook forward priority filter; policy drop
                ct state established,related accept
                meta mark 1 udp dport {SERVER_PORT} accept
            }}
        }}
        "
    )
}
