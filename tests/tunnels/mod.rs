//! Tunnels between two hosts, each with a guest: the switches of other projects, which the daemon must work
//! with. The tests need root and Open vSwitch; `scripts/test` runs them.

mod kernel_vxlan;
mod open_vswitch;
mod peers;
mod testbed;
