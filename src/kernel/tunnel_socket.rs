//! UDP sockets on the ports of tunnels.

use std::io;
use std::net::{IpAddr, UdpSocket};

use super::socket_option::set_option;

/// `UDP_NO_CHECK6_RX` of `linux/udp.h`: accepts datagrams over IPv6 without a checksum (RFC 6935).
const UDP_NO_CHECK6_RX: libc::c_int = 102;

/// Opens a socket that receives what the kernel has of the tunnel packets to a port of `endpoint`:
/// reassembled fragments, and packets that no XDP program steers. While it is open, no other program and no
/// `vxlan` link receives them.
///
/// # Errors
/// The address is not this host's, or another socket has the port.
pub fn open_tunnel_socket(endpoint: IpAddr, port: u16) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((endpoint, port))?;
    socket.set_nonblocking(true)?;
    if endpoint.is_ipv6() {
        let on: libc::c_int = 1;
        // SAFETY: the option is a `c_int`.
        unsafe { set_option(&socket, libc::IPPROTO_UDP, UDP_NO_CHECK6_RX, &on) }?;
    }
    Ok(socket)
}
