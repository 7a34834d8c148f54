//! The switch and real VMs: qemu under software emulation, Debian's kernel, virtio-net on taps that are ports. They need
//! root, qemu and apt; `scripts/test` runs them.

mod console;
mod encapsulations;
mod image;
mod offloads;
mod removals;
mod talk;
mod testbed;
mod trunk;
mod vm;
