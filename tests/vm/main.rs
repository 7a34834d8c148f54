//! The switch and real VMs: qemu under software emulation, Debian's kernel, virtio-net on taps that are ports. They need
//! root, qemu and apt; `scripts/test` runs them.

#[cfg(test)]
mod console;
#[cfg(test)]
mod encapsulations;
#[cfg(test)]
mod image;
#[cfg(test)]
mod offloads;
#[cfg(test)]
mod removals;
#[cfg(test)]
mod site;
#[cfg(test)]
#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "the lab has more than VMs need")]
mod support;
#[cfg(test)]
mod talk;
#[cfg(test)]
mod trunk;
#[cfg(test)]
mod vm;
