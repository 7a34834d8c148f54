//! A guest program that sends and receives single frames.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt, socket,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

use testkit::netns::Netns;

/// Longest frame of a testbed in bytes.
const LONGEST: usize = 2048;

/// A packet socket on one link.
#[derive(Debug)]
pub struct PacketSocket {
    socket: OwnedFd,
}

impl PacketSocket {
    /// Opens a socket that waits at most `patience` for a frame.
    pub fn open(netns: &Netns, link: &str, patience: Duration) -> Result<Self> {
        netns.enter(|| {
            let socket =
                socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll)?;
            let address = getifaddrs()?
                .filter(|entry| entry.interface_name == link)
                .find_map(|entry| entry.address?.as_link_addr().copied())
                .with_context(|| format!("no link {link}"))?;
            bind(socket.as_raw_fd(), &address)?;
            let patience = TimeVal::microseconds(i64::try_from(patience.as_micros())?);
            setsockopt(&socket, ReceiveTimeout, &patience)?;
            Ok(Self { socket })
        })
    }

    pub fn send(&self, frame: &[u8]) -> Result<()> {
        send(self.socket.as_raw_fd(), frame, MsgFlags::empty())?;
        Ok(())
    }

    /// The next frame, without its outer tag; `None` if there is none in time.
    pub fn receive(&self) -> Result<Option<Vec<u8>>> {
        let mut frame = vec![0; LONGEST];
        match recv(self.socket.as_raw_fd(), &mut frame, MsgFlags::empty()) {
            Ok(length) => {
                frame.truncate(length);
                Ok(Some(frame))
            }
            Err(Errno::EAGAIN | Errno::EINTR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
