//! Opens and closes links in the kernel: an XDP program on the link, an AF_XDP socket on each of its queues.
//! Runs on the thread `rtnl`, because its calls may wait for the RTNL lock.

use std::collections::BTreeMap;

use crate::config::{LinkOptions, PortOptions};
use crate::control::links::{LARGEST_MTU, Link};
use crate::kernel::{PinError, Pins, ProgramError, ProgramOptions, SteerLoader, SteerProgram, inspect};
use crate::types::{IfIndex, QueueId, SlotAllocator};
use crate::xsk::{Arena, OpenError, XskSocket};

/// The number of a socket takes 15 bits in the arena's table of places, beside one for the direction.
const MAX_SOCKETS: u32 = u16::MAX as u32 / 2 - 1;

/// Opens links, and owns the programs of those that are closed and will be opened again.
#[derive(Debug)]
pub(super) struct Opener {
    arena: &'static Arena,
    loader: SteerLoader,
    /// The programs of links without sockets.
    standing: BTreeMap<IfIndex, SteerProgram>,
    socket_ids: SlotAllocator,
}

/// A link with its program and sockets.
#[derive(Debug)]
pub(in crate::control) struct OpenLink {
    /// The name of the link when it was opened.
    pub(super) name: String,
    pub(super) ifindex: IfIndex,
    pub(in crate::control) program: SteerProgram,
    /// The sockets that no worker owns yet.
    pub(super) sockets: Vec<XskSocket>,
    socket_ids: Vec<u16>,
    /// The reason why the program is not pinned although it should be.
    pub(super) unpinned: Option<PinError>,
}

/// The reason why a link could not be opened.
#[derive(Debug, thiserror::Error)]
pub(in crate::control) enum OpenLinkError {
    #[error("its MTU {0} is too large: packets of up to {LARGEST_MTU} bytes can be sent; set a smaller MTU")]
    Mtu(u32),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("{0}; it is tried again until it is free")]
    Socket(#[from] OpenError),
    #[error("it is no longer called {0}; it is tried again under its new name")]
    Renamed(String),
    #[error("uplinks cannot be opened")]
    Uplink,
    #[error("more than {MAX_SOCKETS} sockets are open")]
    TooMany,
}

impl Opener {
    pub(super) fn new(arena: &'static Arena) -> Self {
        Self {
            arena,
            loader: SteerLoader::default(),
            standing: BTreeMap::new(),
            socket_ids: SlotAllocator::default(),
        }
    }

    /// Opens `link`. Its frames have the outcome that `options.no_socket` sets until they are steered into
    /// the sockets.
    pub(super) fn open(
        &mut self,
        link: &Link,
        options: LinkOptions,
        pins: Option<&Pins>,
    ) -> Result<OpenLink, OpenLinkError> {
        let LinkOptions::Port(options) = options else { return Err(OpenLinkError::Uplink) };
        if link.mtu > LARGEST_MTU {
            return Err(OpenLinkError::Mtu(link.mtu));
        }
        let mut program = self.attach_program(link, options, pins)?;
        let unpinned = pins.and_then(|pins| program.update_pin(options.no_socket, pins).err());
        let (name, ifindex) = (link.name.clone(), link.ifindex);
        let mut open = OpenLink { name, ifindex, program, sockets: vec![], socket_ids: vec![], unpinned };
        match self.open_sockets(link, &mut open) {
            Ok(()) => Ok(open),
            Err(error) => {
                self.close(open);
                Err(error)
            }
        }
    }

    /// Opens a socket on each queue of a link that has the program.
    fn open_sockets(&mut self, link: &Link, open: &mut OpenLink) -> Result<(), OpenLinkError> {
        for queue in (0..link.rx_queues).map(QueueId) {
            let id = self.socket_ids.allocate(MAX_SOCKETS).ok_or(OpenLinkError::TooMany)? as u16;
            open.socket_ids.push(id);
            open.sockets.push(XskSocket::open(self.arena, id, &link.name, queue)?);
        }
        // A program is attached by index, but a socket is bound by name, which another link may have by now:
        // its frames would leave by the wrong link.
        if inspect::ifindex_of(&link.name) != Some(link.ifindex) {
            return Err(OpenLinkError::Renamed(link.name.clone()));
        }
        Ok(())
    }

    /// A program without sockets, which replaces the one on the link, if any.
    fn attach_program(
        &mut self,
        link: &Link,
        options: PortOptions,
        pins: Option<&Pins>,
    ) -> Result<SteerProgram, OpenLinkError> {
        let PortOptions { no_socket, allow_generic, .. } = options;
        let options = ProgramOptions { queues: link.rx_queues, no_socket, allow_generic };
        match self.standing.remove(&link.ifindex) {
            Some(mut standing) if standing.can_renew_with(options) => {
                if let Err(error) = standing.renew(&mut self.loader, options) {
                    self.standing.insert(link.ifindex, standing);
                    return Err(error.into());
                }
                Ok(standing)
            }
            found => {
                found.into_iter().for_each(SteerProgram::detach);
                Ok(SteerProgram::attach(&mut self.loader, link.ifindex, options, pins)?)
            }
        }
    }

    /// Closes the sockets, which returns their chunks to the arena. The program remains.
    pub(super) fn close(&mut self, open: OpenLink) {
        XskSocket::close_all(open.sockets);
        open.socket_ids.into_iter().for_each(|id| self.socket_ids.release(u32::from(id)));
        self.standing.insert(open.ifindex, open.program);
    }

    /// Detaches the program from a closed link.
    pub(super) fn discard(&mut self, ifindex: IfIndex) {
        self.standing.remove(&ifindex).into_iter().for_each(SteerProgram::detach);
    }

    /// Detaches the programs from all links: those of open ones, `open`, and those of closed ones.
    pub(super) fn detach_all(&mut self, open: Vec<SteerProgram>) {
        open.into_iter().for_each(SteerProgram::detach);
        std::mem::take(&mut self.standing).into_values().for_each(SteerProgram::detach);
    }
}
