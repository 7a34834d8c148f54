//! The other projects' switches reach each other: what a test with the daemon relies on.

use super::kernel_vxlan::KernelVxlan;
use super::open_vswitch::OpenVswitch;
use super::testbed::{Family, Pair, Start, between};
use trunkpath::types::TunnelType;

fn reach_each_other(test: &str, kind: TunnelType, switches: [Start; 2]) {
    for family in [Family::V4, Family::V6] {
        between(test, (kind, family), switches, Pair::assert_connected);
    }
}

#[test]
fn open_vswitch_reaches_open_vswitch_by_geneve() {
    let both: [Start; 2] = [OpenVswitch::start, OpenVswitch::start];
    reach_each_other("open_vswitch_reaches_open_vswitch_by_geneve", TunnelType::Geneve, both);
}

#[test]
fn open_vswitch_reaches_open_vswitch_by_gre() {
    let both: [Start; 2] = [OpenVswitch::start, OpenVswitch::start];
    reach_each_other("open_vswitch_reaches_open_vswitch_by_gre", TunnelType::Gre, both);
}

#[test]
fn open_vswitch_reaches_the_kernel_by_vxlan() {
    let both: [Start; 2] = [OpenVswitch::start, KernelVxlan::start];
    reach_each_other("open_vswitch_reaches_the_kernel_by_vxlan", TunnelType::Vxlan, both);
}
