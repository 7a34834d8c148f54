//! The promiscuous mode of a link, by `PACKET_MR_PROMISC` (`packet(7)`): the kernel counts the requests, and
//! takes one back when its socket is closed, also by the end of the process.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, SocketType, socket};

use crate::kernel::socket_option::set_option;
use crate::types::IfIndex;

/// A request for the promiscuous mode of a link. It ends when the value is dropped.
#[derive(Debug)]
pub(super) struct Promiscuous(#[expect(dead_code, reason = "its drop ends the mode")] OwnedFd);

impl Promiscuous {
    /// Makes the link promiscuous.
    pub(super) fn enter(ifindex: IfIndex) -> io::Result<Self> {
        // Without a protocol the socket receives no frames.
        let socket = socket(AddressFamily::PACKET, SocketType::RAW, None)?;
        let request = libc::packet_mreq {
            mr_ifindex: ifindex.get().cast_signed(),
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        // SAFETY: the option is a `packet_mreq`, which has no pointers.
        unsafe { set_option(&socket, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request) }?;
        Ok(Self(socket))
    }
}
