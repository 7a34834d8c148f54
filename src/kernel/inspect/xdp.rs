//! XDP on a link: what is attached, and whether the driver can do it itself.

use std::io;

use libbpf_rs::libbpf_sys::{bpf_xdp_query, bpf_xdp_query_opts};

use super::XdpMode;
use crate::types::IfIndex;

/// `enum netdev_xdp_act` (`linux/netdev.h`).
const ACT_BASIC: u64 = 1 << 0;
const ACT_REDIRECT: u64 = 1 << 1;

/// No kernel reports so many segments.
const NOT_ANSWERED: u32 = u32::MAX;

/// A link as XDP sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XdpOfLink {
    /// The program there, if any.
    pub attached: Option<Attached>,
    /// Whether the driver runs programs in native mode and redirects to AF_XDP sockets.
    pub native: NativeXdp,
}

/// What the kernel says of a driver's native XDP (`NETDEV_A_DEV_XDP_FEATURES`, Linux 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NativeXdp {
    /// The driver has it.
    Supported,
    /// The driver does not have it, or not with its present settings: a veth while its peer has more TX queues than it has
    /// RX queues.
    Unsupported,
    /// The kernel is too old for the question.
    Unknown,
}

/// An attached program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attached {
    /// Where it runs.
    pub mode: XdpMode,
    /// The kernel's number for it; [`super::owner_of`] says whose it is.
    pub program: u32,
}

/// Asks about a link of our namespace.
///
/// # Errors
/// The kernel's refusal; `ENODEV` when the link is gone.
pub fn xdp(ifindex: IfIndex) -> io::Result<XdpOfLink> {
    let mut answer = bpf_xdp_query_opts {
        sz: size_of::<bpf_xdp_query_opts>() as _,
        xdp_zc_max_segs: NOT_ANSWERED,
        ..Default::default()
    };
    let index = i32::try_from(ifindex.get()).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    // SAFETY: `answer` lives through the call, and `sz` tells libbpf how much of it may be written.
    let result = unsafe { bpf_xdp_query(index, 0, &raw mut answer) };
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    Ok(XdpOfLink { attached: attached(&answer), native: native(&answer) })
}

/// Where the kernel has no family "netdev" libbpf reports no features, as of a driver without XDP, and leaves the number of
/// segments as it was (`bpf_xdp_query` in its netlink.c).
fn native(answer: &bpf_xdp_query_opts) -> NativeXdp {
    let can = |feature| answer.feature_flags & feature != 0;
    match answer.xdp_zc_max_segs {
        NOT_ANSWERED => NativeXdp::Unknown,
        _ if can(ACT_BASIC) && can(ACT_REDIRECT) => NativeXdp::Supported,
        _ => NativeXdp::Unsupported,
    }
}

/// A link can hold a program in the NIC beside one in the driver: the one that frames meet first in the
/// kernel is named.
fn attached(answer: &bpf_xdp_query_opts) -> Option<Attached> {
    [
        (XdpMode::Native, answer.drv_prog_id),
        (XdpMode::Generic, answer.skb_prog_id),
        (XdpMode::Offload, answer.hw_prog_id),
    ]
    .into_iter()
    .find(|(_, program)| *program != 0)
    .map(|(mode, program)| Attached { mode, program })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_does_not_answer_is_no_driver_without_xdp() {
        let answer = |feature_flags, xdp_zc_max_segs| bpf_xdp_query_opts {
            feature_flags,
            xdp_zc_max_segs,
            ..Default::default()
        };
        assert_eq!(native(&answer(0, NOT_ANSWERED)), NativeXdp::Unknown);
        assert_eq!(native(&answer(0, 0)), NativeXdp::Unsupported);
        assert_eq!(native(&answer(ACT_BASIC, 0)), NativeXdp::Unsupported);
        assert_eq!(native(&answer(ACT_BASIC | ACT_REDIRECT, 1)), NativeXdp::Supported);
    }

    #[test]
    fn this_kernel_says_that_the_loopback_has_no_native_xdp() {
        let lo = IfIndex::new(1).unwrap();
        assert_eq!(xdp(lo).unwrap().native, NativeXdp::Unsupported);
    }
}
