//! Why an arena cannot be built.

use std::io;

/// Why there is no [`Arena`](super::Arena).
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the variants and the messages describe the fields")]
pub enum ArenaError {
    /// The number of chunks is 0, or more than an index of 31 bits can name.
    #[error("{0} chunks: expected 1 to {max}", max = u32::MAX / 2)]
    ChunkCount(usize),
    /// The kernel rejected the UMEM of `mib` MiB.
    #[error("cannot register {mib} MiB of packet memory (UMEM): {source}{}", umem_advice(.source))]
    Umem { mib: usize, source: io::Error },
    /// The UMEM's own socket cannot be bound. EBUSY: another process has an AF_XDP socket on the loopback
    /// link of this network namespace; it, or the kernel after its end, may release it soon.
    #[error("cannot bind an AF_XDP socket to lo, which every other socket shares memory with: {source}{}", anchor_advice(.source))]
    Anchor { source: io::Error },
    /// The kernel (`release` as `uname -r` prints it) has no sockets for frames of several chunks
    /// (`XDP_USE_SG`, Linux 6.6).
    #[error(
        "Linux {release} is too old: AF_XDP sockets for frames of several chunks came with 6.6, and 6.8 or newer is needed to read VLAN tags that are stored beside their frames -> boot a newer kernel (on Debian 12, linux-image-amd64 of its backports)"
    )]
    Kernel { release: String },
    /// The version of xsk-rs is not the one that this program was written for.
    #[error("the frame descriptor of xsk-rs has an unknown layout: build with the pinned xsk-rs 0.11.0")]
    DescriptorLayout,
}

fn umem_advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM) => "; it requires CAP_NET_RAW: run as root or give that capability",
        Some(libc::ENOBUFS) => {
            "; that is over the limit of locked memory (`ulimit -l`): raise it, give CAP_IPC_LOCK, or request less with umem_mib"
        }
        _ => "",
    }
}

fn anchor_advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EBUSY) => "; another switch runs in this network namespace: stop it first",
        Some(libc::ENETDOWN) => "; switch it on with `ip link set lo up`",
        _ => "",
    }
}
