//! The daemon with VMs as guests: qemu with software emulation, Debian's kernel, virtio-net on taps. The
//! tests need root, qemu and apt; `scripts/test` runs them.

mod console;
mod encapsulations;
mod image;
mod inside;
mod kernel_links;
mod machine;
mod nics;
mod offloads;
mod removals;
mod talk;
mod testbed;
mod trunk;
mod uplinks;
