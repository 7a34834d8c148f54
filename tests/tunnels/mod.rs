//! Tunnels between two hosts, each with a guest: those of the daemon, of Open vSwitch and of the kernel. The
//! tests need root and Open vSwitch; `scripts/test` runs them.

mod interoperation;
mod kernel_vxlan;
mod open_vswitch;
mod peers;
mod testbed;
mod trunkpath;
