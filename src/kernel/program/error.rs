//! Why a program cannot be attached, and what to do.

use std::io;

use libbpf_rs::ErrorKind;

use crate::kernel::attachable::PageBoundError;
use crate::kernel::inspect;

/// Why the program is not attached to a link.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the variants and the messages describe the fields")]
pub enum ProgramError {
    /// The kernel rejected the program.
    #[error("cannot load the XDP program: {error}{advice}; `trunkpath check` lists what is missing", error = .0, advice = advice(.0))]
    Load(#[source] libbpf_rs::Error),
    /// In this kernel an XDP program cannot read a tag that is stored beside a frame.
    #[error(
        "the kernel does not pass a VLAN tag that is stored beside its frame to XDP programs (Linux 6.8 or newer with BTF does): a guest could hide a tag from the switch -> boot a newer kernel, or, if its guest can be trusted with tags, accept the port without that by `allow_generic = true`"
    )]
    NoTagReader,
    /// The program is too long to be bound to a link.
    #[error(transparent)]
    PageBound(PageBoundError),
    /// Another program is attached; `holder` is its id, name and process, as far as they are visible.
    #[error("another XDP program holds the link: {holder}; detach it first")]
    Held { holder: String },
    /// The driver has no native XDP, or not for the present settings of the link.
    #[error(
        "the driver does not accept an XDP program in native mode ({0}); `allow_generic = true` accepts generic mode instead, in which a guest can hide a VLAN tag from the switch"
    )]
    NotNative(#[source] io::Error),
    /// The same for an uplink, which has no generic mode.
    #[error(
        "the driver does not accept an XDP program in native mode ({0}), or not with the link's present settings; an uplink requires it, because generic mode loses VLAN tags -> use a link whose driver has native XDP, or set its MTU to 1500 first"
    )]
    UplinkNotNative(#[source] io::Error),
    /// The compiled program is not the one that this crate was written for.
    #[error("the uplink's XDP program has no map `selection`: build again from the same sources")]
    NoSelection,
    /// ERANGE, which veth returns for an MTU that is too large.
    #[error("its MTU, or its peer's, is too large for XDP with this driver: set both to 1500")]
    Mtu,
    /// ENOSPC, which veth returns for too few RX queues.
    #[error(
        "it has fewer RX queues than its peer has TX queues, and XDP needs one for each: create the link with as many"
    )]
    Queues,
    /// Any other error, for example after the removal of the link.
    #[error("cannot attach the XDP program: {0}")]
    Attach(#[source] io::Error),
    /// The kernel rejected generic mode as well.
    #[error("cannot attach the XDP program in generic mode: {0}")]
    Generic(#[source] io::Error),
    /// The program of an earlier run, or this process's own program, cannot be replaced.
    #[error(
        "cannot replace the program that is attached to the link: {0}; stop the switch, and `trunkpath check --clean` removes it"
    )]
    Replace(#[source] io::Error),
    /// The kernel rejected an access to a map.
    #[error("cannot use a map of the XDP program: {0}")]
    Map(#[source] libbpf_rs::Error),
}

/// The most likely cause. Without the types of the kernel libbpf reports various errors, a missing permission
/// among them.
fn advice(error: &libbpf_rs::Error) -> &'static str {
    if !inspect::has_btf() {
        " (the kernel's types are missing: mount sysfs at /sys, or boot a kernel with CONFIG_DEBUG_INFO_BTF=y, which has them in /sys/kernel/btf/vmlinux)"
    } else if error.kind() == ErrorKind::PermissionDenied {
        " (it requires CAP_BPF and CAP_NET_ADMIN)"
    } else {
        ""
    }
}
