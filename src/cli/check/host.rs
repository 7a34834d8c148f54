//! Findings about the kernel and the capabilities of the process.

use super::finding::{Finding, Verdict};
use crate::kernel::inspect::{self, Capabilities};

/// Packet memory of `trunkpath run` without `--umem-mib`, which the kernel locks.
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
            format!("{found} has no AF_XDP sockets for frames of several chunks (6.6)"),
            advice,
        ),
        Some(version) if version < (6, 8) => Finding::not_ok(
            Verdict::Missing,
            "kernel",
            format!("{found} does not pass a VLAN tag that is stored beside its frame to XDP programs (6.8)"),
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
            "net.core.bpf_jit_harden is 2: a kernel without the fix of 2026 (commit a1aa9ef47c29) can crash when a link with an XDP program is removed",
            "sysctl net.core.bpf_jit_harden=1, or boot a kernel that has the fix",
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
            "see the findings about capabilities",
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
            "/sys/kernel/btf/vmlinux does not exist",
            "boot a kernel with CONFIG_DEBUG_INFO_BTF=y, and mount sysfs",
        )
    }
}

fn tag_reader() -> Finding {
    if inspect::has_vlan_tag_kfunc() {
        Finding::ok("VLAN tags", "the XDP program can read a tag that is stored beside its frame")
    } else {
        Finding::not_ok(
            Verdict::Missing,
            "VLAN tags",
            "the kernel has no bpf_xdp_metadata_rx_vlan_tag: a guest can evade the tag rules",
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
            "CAP_IPC_LOCK is not held, and the limit of locked memory is sufficient",
        );
    }
    Finding::not_ok(
        Verdict::Missing,
        "capabilities",
        format!("{capability} is not held"),
        "run as root, or with AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW CAP_BPF CAP_IPC_LOCK in its systemd unit",
    )
}
