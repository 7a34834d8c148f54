//! The daemon's tunnels with those of Open vSwitch, of the kernel, and of another daemon.

use super::kernel_vxlan::KernelVxlan;
use super::open_vswitch::OpenVswitch;
use super::testbed::{Family, Pair, Start, between};
use super::trunkpath::Trunkpath;
use trunkpath::types::TunnelType;

/// The daemon on host 1 and the other switch on host 2, by IPv4 and IPv6.
fn reaches(test: &str, kind: TunnelType, other: Start) {
    for family in [Family::V4, Family::V6] {
        between(test, (kind, family), [Trunkpath::start, other], Pair::assert_connected);
    }
}

#[test]
fn open_vswitch_is_reached_by_vxlan() {
    reaches("open_vswitch_is_reached_by_vxlan", TunnelType::Vxlan, OpenVswitch::start);
}

#[test]
fn open_vswitch_is_reached_by_geneve() {
    reaches("open_vswitch_is_reached_by_geneve", TunnelType::Geneve, OpenVswitch::start);
}

#[test]
fn open_vswitch_is_reached_by_gre() {
    reaches("open_vswitch_is_reached_by_gre", TunnelType::Gre, OpenVswitch::start);
}

#[test]
fn the_kernel_is_reached_by_vxlan() {
    reaches("the_kernel_is_reached_by_vxlan", TunnelType::Vxlan, KernelVxlan::start);
}

/// Over IPv6 the kernel's link drops what is too long.
#[test]
fn fragments_of_the_kernel_are_received() {
    let (vxlan, both): (_, [Start; 2]) =
        ((TunnelType::Vxlan, Family::V4), [Trunkpath::start, KernelVxlan::start]);
    between("fragments_of_the_kernel_are_received", vxlan, both, |pair| {
        pair.assert_connected();
        pair.narrow(2);
        pair.assert_long_pings_from(2);
        assert!(pair.received_fragments(1) > 0);
    });
}

#[test]
fn another_daemon_is_reached_by_vxlan() {
    reaches("another_daemon_is_reached_by_vxlan", TunnelType::Vxlan, Trunkpath::start);
}

#[test]
fn another_daemon_is_reached_by_geneve() {
    reaches("another_daemon_is_reached_by_geneve", TunnelType::Geneve, Trunkpath::start);
}

#[test]
fn another_daemon_is_reached_by_gre() {
    reaches("another_daemon_is_reached_by_gre", TunnelType::Gre, Trunkpath::start);
}
