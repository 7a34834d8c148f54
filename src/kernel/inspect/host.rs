//! The running kernel, and the privileges of this process.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use caps::{CapSet, Capability};
use libbpf_rs::btf::Btf;
use libbpf_rs::btf::types::Func;
use rustix::net::{AddressFamily, SocketType, socket};
use rustix::process::{Resource, getrlimit};

/// The kernel's release, as `uname -r` prints it.
#[must_use]
pub fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// The first two numbers of the kernel's release, as (6, 8).
#[must_use]
pub fn kernel_version() -> Option<(u32, u32)> {
    version_of(&kernel_release())
}

fn version_of(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The value of `net.core.bpf_jit_harden`; `None` if it cannot be read.
#[must_use]
pub fn jit_hardening() -> Option<u32> {
    std::fs::read_to_string("/proc/sys/net/core/bpf_jit_harden").ok()?.trim().parse().ok()
}

/// Whether the kernel provides its own types (`CONFIG_DEBUG_INFO_BTF`), without which no kfunc can be called.
#[must_use]
pub fn has_btf() -> bool {
    Path::new("/sys/kernel/btf/vmlinux").exists()
}

/// Whether an XDP program can read a VLAN tag that is stored beside its frame (Linux 6.8). Without it a guest
/// can hide a tag from the switch.
#[must_use]
pub fn has_vlan_tag_kfunc() -> bool {
    // Parsing all types of the kernel is slow, and the result does not change.
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let types = Btf::from_vmlinux();
        types.is_ok_and(|types| types.type_by_name::<Func<'_>>("bpf_xdp_metadata_rx_vlan_tag").is_some())
    })
}

/// Creates an AF_XDP socket and closes it.
///
/// # Errors
/// `EAFNOSUPPORT` from a kernel without `CONFIG_XDP_SOCKETS`, `EPERM` without `CAP_NET_RAW`.
pub fn check_af_xdp() -> io::Result<()> {
    socket(AddressFamily::XDP, SocketType::RAW, None)?;
    Ok(())
}

/// Bytes that this process may lock in memory; `None` for no limit. `CAP_IPC_LOCK` goes beyond it.
#[must_use]
pub fn memlock_limit() -> Option<u64> {
    getrlimit(Resource::Memlock).current
}

/// Whether this process may mount file systems.
#[must_use]
pub fn may_mount() -> bool {
    caps::has_cap(None, CapSet::Effective, Capability::CAP_SYS_ADMIN).unwrap_or(false)
}

/// The capabilities that the datapath uses, divided by whether they are in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names describe the fields")]
pub struct Capabilities {
    pub held: Vec<Capability>,
    pub missing: Vec<Capability>,
}

/// In this order: to attach programs and watch links; to open AF_XDP sockets; to load programs; to register a
/// UMEM over the limit of locked memory.
pub(in crate::kernel) const NEEDED: [Capability; 4] =
    [Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW, Capability::CAP_BPF, Capability::CAP_IPC_LOCK];

/// Reads which of the capabilities that the datapath uses are in effect.
///
/// # Errors
/// When they cannot be read.
pub fn capabilities() -> Result<Capabilities, caps::errors::CapsError> {
    let effective = caps::read(None, CapSet::Effective)?;
    // CAP_SYS_ADMIN contains CAP_BPF, which was split off from it (bpf_capable in linux/capability.h).
    let in_effect = |needed: &Capability| {
        effective.contains(needed)
            || (*needed == Capability::CAP_BPF && effective.contains(&Capability::CAP_SYS_ADMIN))
    };
    let (held, missing) = NEEDED.into_iter().partition(in_effect);
    Ok(Capabilities { held, missing })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_begins_with_two_numbers() {
        assert_eq!(version_of("6.1.0-48-cloud-amd64"), Some((6, 1)));
        assert_eq!(version_of("6.12.95+deb12-cloud-amd64"), Some((6, 12)));
        assert_eq!(version_of("7.3"), Some((7, 3)));
        assert_eq!(version_of("six"), None);
    }
}
