//! XDP on a link: what is attached, and what the driver can do.

use std::io;

use libbpf_rs::libbpf_sys::{bpf_xdp_query, bpf_xdp_query_opts};

use super::XdpMode;
use crate::types::IfIndex;

/// `enum netdev_xdp_act` (`linux/netdev.h`).
const ACT_BASIC: u64 = 1 << 0;
const ACT_REDIRECT: u64 = 1 << 1;
const ACT_XSK_ZEROCOPY: u64 = 1 << 3;
const ACT_RX_SG: u64 = 1 << 5;

/// A link as XDP sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XdpOfLink {
    /// The program there, if any.
    pub attached: Option<Attached>,
    /// What the driver says it can do, with the link's queues and MTU as they are now.
    pub driver: DriverXdp,
}

/// An attached program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attached {
    /// Where it runs.
    pub mode: XdpMode,
    /// The kernel's number for it; [`super::owner_of`] says whose it is.
    pub program: u32,
}

/// A driver's abilities (`NETDEV_A_DEV_XDP_FEATURES`, Linux 6.3; an older kernel says no to all).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriverXdp {
    /// Runs programs in native mode and redirects to AF_XDP sockets. veth says no while its peer has more TX
    /// queues than it has RX queues.
    pub native: bool,
    /// Lets the NIC write into the UMEM.
    pub zero_copy: bool,
    /// Takes frames of more than one buffer.
    pub multi_buffer: bool,
}

/// Asks about a link of our namespace.
///
/// # Errors
/// The kernel's refusal; `ENODEV` when the link is gone.
pub fn xdp(ifindex: IfIndex) -> io::Result<XdpOfLink> {
    let mut answer = bpf_xdp_query_opts { sz: size_of::<bpf_xdp_query_opts>() as _, ..Default::default() };
    let index = i32::try_from(ifindex.get()).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    // SAFETY: `answer` lives through the call, and `sz` tells libbpf how much of it may be written.
    let result = unsafe { bpf_xdp_query(index, 0, &raw mut answer) };
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result));
    }
    let can = |feature| answer.feature_flags & feature != 0;
    Ok(XdpOfLink {
        attached: attached(&answer),
        driver: DriverXdp {
            native: can(ACT_BASIC) && can(ACT_REDIRECT),
            zero_copy: can(ACT_XSK_ZEROCOPY),
            multi_buffer: can(ACT_RX_SG),
        },
    })
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
