//! The daemon with tunnels and VLAN links of the kernel, in a VM whose kernel has the drivers for them.

use super::image::{Image, Kernel};
use super::inside;
use super::machine::Vm;

/// Four networks by IPv4, the two of tunnels by IPv6 as well.
const NETWORKS: usize = 4 + 2;

#[test]
fn geneve_gre_and_vlan_links_of_the_kernel_are_reached() {
    let test = "geneve_gre_and_vlan_links_of_the_kernel_are_reached";
    let programs = [&inside::program(), env!("CARGO_BIN_EXE_trunkpath"), "ip", "ping", "setpriv"];
    let Some(image) = Image::for_test(test, Kernel::Newest, &programs) else { return };
    let mut vm = Vm::boot_host(&image);
    let (status, printed) = vm.run_script(include_str!("kernel_links.sh"), "");
    assert_eq!(status, 0, "{printed}");
    println!("{printed}");
    assert_eq!(printed.matches("CONNECTED ").count(), NETWORKS, "{printed}");
}
