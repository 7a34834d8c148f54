//! Sockets by which the kernel learns the path MTU of tunnels.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, bind, ipproto, socket_with};

use super::socket_option::set_option;

/// A classic BPF program that accepts nothing: it returns a length of 0.
const REJECT_ALL: libc::sock_filter =
    libc::sock_filter { code: (libc::BPF_RET | libc::BPF_K) as u16, jt: 0, jf: 0, k: 0 };

/// Opens sockets that receive nothing, for the tunnels from `endpoint`: one for UDP, one for GRE.
///
/// The kernel records the MTU in an ICMP error only for a socket of the rejected packet (`raw_err` and
/// `rawv6_err` in `net/ipv4/raw.c` and `net/ipv6/raw.c`), and packets from AF_XDP sockets belong to none. A
/// raw socket that is bound to the source address counts as theirs, whatever their ports.
///
/// # Errors
/// The address is not this host's, or `CAP_NET_RAW` is missing.
pub fn open_path_mtu_sockets(endpoint: IpAddr) -> io::Result<[OwnedFd; 2]> {
    Ok([open(endpoint, ipproto::UDP)?, open(endpoint, ipproto::GRE)?])
}

fn open(endpoint: IpAddr, protocol: Protocol) -> io::Result<OwnedFd> {
    let family = if endpoint.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, Some(protocol))?;
    let mut filter = REJECT_ALL;
    let program = libc::sock_fprog { len: 1, filter: &raw mut filter };
    // SAFETY: `program` has one instruction, and both outlive the call, which copies them.
    unsafe { set_option(&socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program) }?;
    if endpoint.is_ipv6() {
        let on: libc::c_int = 1;
        // Without it `rawv6_err` ignores errors of a socket that is not connected. The queue of errors, which
        // is not read, has the size of the receive buffer at most.
        // SAFETY: the option is a `c_int`.
        unsafe { set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVERR, &on) }?;
    }
    bind(&socket, &SocketAddr::new(endpoint, 0))?;
    Ok(socket)
}
