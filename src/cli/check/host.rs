//! The kernel, and what this process may do.

use super::{Finding, Verdict};
use crate::kernel::inspect::{self, Capabilities};

/// What `trunkpath run` locks in memory by default.
const UMEM_BYTES: u64 = 64 << 20;

pub(super) fn findings() -> Vec<Finding> {
    let mut findings = vec![kernel(), sockets(), type_information(), tag_reader()];
    findings.extend(jit_hardening());
    findings.extend(capabilities());
    findings
}

fn kernel() -> Finding {
    let found = format!("Linux {}", inspect::kernel_release());
    let advice = "boot Linux 6.8 or newer (on Debian 12, linux-image-amd64 of its backports)";
    match inspect::kernel_version() {
        Some(version) if version < (6, 6) => Finding::not_ok(
            Verdict::Missing,
            "kernel",
            format!("{found} has no AF_XDP sockets for frames of several buffers (6.6)"),
            advice,
        ),
        Some(version) if version < (6, 8) => Finding::not_ok(
            Verdict::Missing,
            "kernel",
            format!("{found} cannot show a VLAN tag that travels beside its frame (6.8)"),
            advice,
        ),
        _ => Finding::ok("kernel", found),
    }
}

/// With full hardening the kernel replaces programs while it compiles them; see `bpf/README.md`.
fn jit_hardening() -> Option<Finding> {
    (inspect::jit_hardening() == Some(2)).then(|| {
        Finding::not_ok(
            Verdict::Warning,
            "BPF",
            "net.core.bpf_jit_harden is 2: a kernel without the fix of 2026 (commit a1aa9ef47c29) can crash when a device goes under its XDP program",
            "sysctl net.core.bpf_jit_harden=1, or a kernel of which you know that it has the fix",
        )
    })
}

fn sockets() -> Finding {
    match inspect::check_af_xdp() {
        Ok(()) => Finding::ok("AF_XDP", "sockets can be made"),
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => Finding::not_ok(
            Verdict::Missing,
            "AF_XDP",
            "the kernel has no AF_XDP sockets",
            "boot a kernel with CONFIG_XDP_SOCKETS=y",
        ),
        Err(error) => Finding::not_ok(
            Verdict::Missing,
            "AF_XDP",
            format!("no socket can be made: {error}"),
            "see capabilities below",
        ),
    }
}

fn type_information() -> Finding {
    if inspect::has_btf() {
        Finding::ok("BTF", "the kernel describes its types")
    } else {
        Finding::not_ok(
            Verdict::Missing,
            "BTF",
            "/sys/kernel/btf/vmlinux is not there",
            "boot a kernel with CONFIG_DEBUG_INFO_BTF=y, and mount sysfs",
        )
    }
}

fn tag_reader() -> Finding {
    if inspect::has_vlan_tag_kfunc() {
        Finding::ok("VLAN tags", "the XDP program can read a tag that travels beside its frame")
    } else {
        Finding::not_ok(
            Verdict::Missing,
            "VLAN tags",
            "bpf_xdp_metadata_rx_vlan_tag is not there: a guest could hide a tag from us",
            "boot Linux 6.8 or newer with BTF",
        )
    }
}

fn capabilities() -> Vec<Finding> {
    match inspect::capabilities() {
        Ok(Capabilities { held, missing }) => {
            let held = held.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            let held = Finding::ok("capabilities", if held.is_empty() { "none".to_owned() } else { held });
            [held].into_iter().chain(missing.into_iter().map(lacking)).collect()
        }
        Err(error) => vec![Finding::not_ok(
            Verdict::Warning,
            "capabilities",
            format!("cannot be read: {error}"),
            "mount /proc",
        )],
    }
}

fn lacking(capability: caps::Capability) -> Finding {
    let limit = inspect::memlock_limit();
    if capability == caps::Capability::CAP_IPC_LOCK && limit.is_none_or(|limit| limit >= UMEM_BYTES) {
        return Finding::ok(
            "capabilities",
            "CAP_IPC_LOCK is not there, and the limit of locked memory is enough",
        );
    }
    Finding::not_ok(
        Verdict::Missing,
        "capabilities",
        format!("{capability} is not there"),
        "run as root, or with AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW CAP_BPF CAP_IPC_LOCK in its systemd unit",
    )
}
