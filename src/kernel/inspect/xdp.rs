//! XDP on a link: the attached program, and whether the driver has native XDP.

use std::io;

use libbpf_rs::libbpf_sys::{bpf_xdp_query, bpf_xdp_query_opts};
use serde::{Deserialize, Serialize};

use crate::types::IfIndex;

// Bits of `enum netdev_xdp_act` (linux/netdev.h).
const ACT_BASIC: u64 = 1 << 0;
const ACT_REDIRECT: u64 = 1 << 1;
const ACT_ZERO_COPY: u64 = 1 << 3;

/// Initial number of segments, which no kernel reports.
const NOT_REPORTED: u32 = u32::MAX;

/// Where in the receive path of a link an XDP program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum XdpMode {
    /// In the driver, before an skb exists (`XDP_FLAGS_DRV_MODE`).
    Native,
    /// After the skb was built (`XDP_FLAGS_SKB_MODE`).
    Generic,
    /// In the hardware of the NIC (`XDP_FLAGS_HW_MODE`).
    Offload,
}

impl XdpMode {
    /// The name that `show ports` prints.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Offload => "offload",
        }
    }
}

/// The state of XDP on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XdpOfLink {
    /// The attached program, if any.
    pub attached: Option<Attached>,
    /// Whether the driver runs programs in native mode and redirects to AF_XDP sockets.
    pub native: NativeXdp,
    /// Whether the driver announces zero-copy mode for AF_XDP sockets, which it may still reject.
    pub has_zero_copy: bool,
}

/// Whether a driver has native XDP (`NETDEV_A_DEV_XDP_FEATURES`, Linux 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NativeXdp {
    /// The driver runs programs and redirects to sockets.
    Supported,
    /// The driver has no native XDP, or not with the present settings: a veth while its peer has more TX
    /// queues than it has RX queues.
    Unsupported,
    /// The kernel is too old to report it.
    Unknown,
}

/// A program that is attached to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attached {
    /// The mode that it is attached in.
    pub mode: XdpMode,
    /// Its id, as `bpftool prog` prints it; [`owner_of`](super::owner_of) finds its holders.
    pub program_id: u32,
}

/// Queries the state of XDP on a link of this network namespace.
///
/// # Errors
/// The error of the kernel; `ENODEV` when the link does not exist.
pub fn xdp(ifindex: IfIndex) -> io::Result<XdpOfLink> {
    let mut reply = bpf_xdp_query_opts {
        sz: size_of::<bpf_xdp_query_opts>() as _,
        xdp_zc_max_segs: NOT_REPORTED,
        ..Default::default()
    };
    let index = i32::try_from(ifindex.get()).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    // SAFETY: `reply` outlives the call, and `sz` is the number of bytes that libbpf may write.
    let result = unsafe { bpf_xdp_query(index, 0, &raw mut reply) };
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    Ok(XdpOfLink {
        attached: attached(&reply),
        native: native(&reply),
        has_zero_copy: reply.feature_flags & ACT_ZERO_COPY != 0,
    })
}

/// Where the kernel has no family "netdev" libbpf reports no features, as of a driver without XDP, and leaves
/// the number of segments as it was (`bpf_xdp_query` in its netlink.c).
fn native(reply: &bpf_xdp_query_opts) -> NativeXdp {
    let can = |feature| reply.feature_flags & feature != 0;
    match reply.xdp_zc_max_segs {
        NOT_REPORTED => NativeXdp::Unknown,
        _ if can(ACT_BASIC) && can(ACT_REDIRECT) => NativeXdp::Supported,
        _ => NativeXdp::Unsupported,
    }
}

/// A link can have one program in the NIC and another in the driver: the first one that frames meet in the
/// kernel is returned.
fn attached(reply: &bpf_xdp_query_opts) -> Option<Attached> {
    [
        (XdpMode::Native, reply.drv_prog_id),
        (XdpMode::Generic, reply.skb_prog_id),
        (XdpMode::Offload, reply.hw_prog_id),
    ]
    .into_iter()
    .find(|(_, program_id)| *program_id != 0)
    .map(|(mode, program_id)| Attached { mode, program_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_does_not_report_is_not_a_driver_without_xdp() {
        let answer = |feature_flags, xdp_zc_max_segs| bpf_xdp_query_opts {
            feature_flags,
            xdp_zc_max_segs,
            ..Default::default()
        };
        assert_eq!(native(&answer(0, NOT_REPORTED)), NativeXdp::Unknown);
        assert_eq!(native(&answer(0, 0)), NativeXdp::Unsupported);
        assert_eq!(native(&answer(ACT_BASIC, 0)), NativeXdp::Unsupported);
        assert_eq!(native(&answer(ACT_BASIC | ACT_REDIRECT, 1)), NativeXdp::Supported);
    }

    #[test]
    fn the_loopback_has_no_native_xdp() {
        let lo = IfIndex::new(1).unwrap();
        assert_eq!(xdp(lo).unwrap().native, NativeXdp::Unsupported);
    }
}
