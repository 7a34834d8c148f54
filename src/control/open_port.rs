//! A device that is ours: its XDP program and its sockets, from opening to closing.

use std::os::fd::AsFd;

use super::links::Link;
use crate::config::PortOptions;
use crate::kernel::{ProgramError, ProgramOptions, SteerProgram, inspect};
use crate::packet::Header;
use crate::packet::dot1q::TAG_LEN;
use crate::tables::{LinkSlot, LocalLink, WorkerId};
use crate::types::{IfIndex, Numbers, QueueId};
use crate::worker::{WorkerPool, WorkerPoolError};
use crate::xsk::{Arena, FRAME_BYTES, HEADROOM_BYTES, OpenError, XskSocket};

/// The largest MTU whose frames, with two tags, fit one UMEM chunk.
const MAX_MTU: usize = FRAME_BYTES - HEADROOM_BYTES - Header::LEN - 2 * TAG_LEN;

/// A logical port's device, taken.
#[derive(Debug)]
pub(super) struct OpenPort {
    pub(super) ifindex: IfIndex,
    /// The name it was last seen with.
    pub(super) device: String,
    pub(super) lport: String,
    pub(super) link: LinkSlot,
    pub(super) program: SteerProgram,
    pub(super) queues: Vec<WorkerId>,
    pub(super) options: PortOptions,
    socket_ids: Vec<u16>,
}

/// A device with sockets that no worker has yet.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) port: OpenPort,
    sockets: Vec<XskSocket>,
}

/// Why a device could not be taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenPortError {
    #[error("its MTU {0} is too large: frames of up to {MAX_MTU} fit the packet buffers; set a smaller MTU")]
    Mtu(u32),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("{0}; it is tried again until it is free")]
    Socket(#[from] OpenError),
    #[error("it is no longer called {0}; it is tried again under its new name")]
    Renamed(String),
    #[error("more than {max} ports or sockets are open", max = Slots::LIMIT)]
    TooMany,
}

/// Attaches the program to `link` and opens a socket on each of its queues. Frames are dropped, or passed, as the
/// options say, until [`Opened::connect`].
pub(super) fn open_port(
    link: &Link,
    lport: &str,
    options: PortOptions,
    arena: &'static Arena,
    slots: &mut Slots,
) -> Result<Opened, OpenPortError> {
    if link.mtu as usize > MAX_MTU {
        return Err(OpenPortError::Mtu(link.mtu));
    }
    let PortOptions { no_socket, allow_generic, .. } = options;
    let queues = link.rx_queues;
    let program = SteerProgram::attach(link.ifindex, ProgramOptions { queues, no_socket, allow_generic })?;
    let mut port = OpenPort {
        ifindex: link.ifindex,
        device: link.name.clone(),
        lport: lport.to_owned(),
        link: slots.take_link()?,
        program,
        queues: Vec::new(),
        options,
        socket_ids: Vec::new(),
    };
    let mut sockets = Vec::new();
    for queue in (0..queues).map(QueueId) {
        let opened = slots.take_socket().and_then(|id| {
            port.socket_ids.push(id);
            Ok(XskSocket::open(arena, id, &link.name, queue)?)
        });
        match opened {
            Ok(socket) => sockets.push(socket),
            Err(error) => {
                port.close(sockets, slots);
                return Err(error);
            }
        }
    }
    // A program is attached by index, but a socket is bound by name, which may be another device's by now: its frames
    // would leave by the wrong door.
    if inspect::index_of(&link.name) != Some(link.ifindex) {
        port.close(sockets, slots);
        return Err(OpenPortError::Renamed(link.name.clone()));
    }
    Ok(Opened { port, sockets })
}

impl Opened {
    /// Gives the sockets to their workers, and the frames to the sockets. The tables that know the link must be
    /// published before.
    pub(super) async fn connect(
        self,
        workers: &mut WorkerPool,
    ) -> Result<(OpenPort, Vec<ProgramError>), WorkerPoolError> {
        let mut refused = Vec::new();
        for socket in self.sockets {
            // The map holds the socket by itself: steering first and attaching second loses nothing, for the
            // fill ring is still empty.
            refused.extend(self.port.program.steer(socket.queue(), socket.as_fd()).err());
            workers.attach(self.port.link, socket).await?;
        }
        Ok((self.port, refused))
    }

    /// What the tables are to know of the link.
    pub(super) fn assign(&mut self, workers: &WorkerPool) {
        let owners = self.sockets.iter().map(|socket| workers.owner_of(self.port.link, socket.queue()));
        self.port.queues = owners.collect();
    }
}

impl OpenPort {
    /// The link as the tables see it.
    pub(super) fn local_link(&self, up: bool) -> LocalLink {
        LocalLink {
            slot: self.link,
            ifindex: self.ifindex,
            lport: self.lport.clone(),
            up,
            queues: self.queues.clone(),
            complete_checksums: self.options.complete_checksums,
        }
    }

    /// Takes the program off the link, closes the sockets and brings their frames home.
    pub(super) fn close(self, sockets: Vec<XskSocket>, slots: &mut Slots) {
        // The program first: a queue without a socket must not meet frames that still expect one.
        drop(self.program);
        sockets.into_iter().for_each(XskSocket::close);
        slots.links.give_back(u32::from(self.link.0));
        self.socket_ids.into_iter().for_each(|id| slots.sockets.give_back(u32::from(id)));
    }
}

/// Numbers for links and sockets.
#[derive(Debug, Default)]
pub(super) struct Slots {
    links: Numbers,
    sockets: Numbers,
}

impl Slots {
    /// A socket's number takes 15 bits in the arena's table of places, with one more for the direction.
    const LIMIT: u32 = u16::MAX as u32 / 2 - 1;

    fn take_link(&mut self) -> Result<LinkSlot, OpenPortError> {
        let number = self.links.take(Self::LIMIT).ok_or(OpenPortError::TooMany)?;
        Ok(LinkSlot(number as u16))
    }

    fn take_socket(&mut self) -> Result<u16, OpenPortError> {
        let number = self.sockets.take(Self::LIMIT).ok_or(OpenPortError::TooMany)?;
        Ok(number as u16)
    }
}
