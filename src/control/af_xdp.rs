//! Taking links for real: an XDP program on the device, an AF_XDP socket on each of its queues, a worker for each socket.

use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::time::Duration;

use tokio::time::sleep;

use super::devices::Devices;
use super::links::{LARGEST_MTU, Link};
use super::pinning::Pinning;
use crate::config::{Config, PortOptions};
use crate::kernel::{ProgramError, ProgramOptions, SteerLoader, SteerProgram, inspect};
use crate::tables::{LinkSlot, Publisher, WorkerId};
use crate::types::{IfIndex, Numbers, QueueId};
use crate::worker::{WorkerPool, WorkerPoolError};
use crate::xsk::{Arena, ArenaError, FRAME_BYTES, OpenError, XskSocket};

/// A socket's number takes 15 bits in the arena's table of places, with one more for the direction.
const MAX_SOCKETS: u32 = u16::MAX as u32 / 2 - 1;

/// The first and the longest pause before the packet memory is registered again.
const RETRY_FIRST: Duration = Duration::from_millis(5);
const RETRY_LONGEST: Duration = Duration::from_secs(1);

/// Packet memory, workers, and the numbers of sockets.
#[derive(Debug)]
pub(super) struct AfXdp {
    pub(super) arena: &'static Arena,
    pub(super) workers: WorkerPool,
    pub(super) pinning: Pinning,
    loader: SteerLoader,
    /// Programs on devices that have no sockets yet, or no longer, and are to have them (again).
    standing: BTreeMap<IfIndex, SteerProgram>,
    socket_ids: Numbers,
}

/// A device that is ours.
#[derive(Debug)]
pub(super) struct OpenDevice {
    /// Its name when it was opened.
    name: String,
    ifindex: IfIndex,
    pub(super) program: SteerProgram,
    /// Those that no worker has yet.
    sockets: Vec<XskSocket>,
    socket_ids: Vec<u16>,
}

/// Why a device could not be taken.
#[derive(Debug, thiserror::Error)]
enum TakeError {
    #[error("its MTU {0} is too large: packets of up to {LARGEST_MTU} bytes can be sent; set a smaller MTU")]
    Mtu(u32),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("{0}; it is tried again until it is free")]
    Socket(#[from] OpenError),
    #[error("it is no longer called {0}; it is tried again under its new name")]
    Renamed(String),
    #[error("more than {MAX_SOCKETS} sockets are open")]
    TooMany,
}

impl AfXdp {
    /// Registers the packet memory; patiently, for the kernel releases a predecessor's some time after its end.
    pub(super) async fn register(config: &Config) -> Result<&'static Arena, ArenaError> {
        let frame_count = (config.umem_mib as usize) * (1 << 20) / FRAME_BYTES;
        let mut pause = RETRY_FIRST;
        loop {
            match Arena::umem(frame_count) {
                Err(ArenaError::Anchor { source })
                    if source.raw_os_error() == Some(libc::EBUSY) && pause <= RETRY_LONGEST =>
                {
                    sleep(pause).await;
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
    }

    /// Starts the workers, which forward with what `publisher` publishes.
    pub(super) fn start(
        config: &Config,
        arena: &'static Arena,
        pinning: Pinning,
        publisher: &Publisher,
    ) -> Result<Self, WorkerPoolError> {
        Ok(Self {
            arena,
            workers: WorkerPool::start(&config.workers, config.idle, arena, publisher)?,
            pinning,
            loader: SteerLoader::default(),
            standing: BTreeMap::new(),
            socket_ids: Numbers::default(),
        })
    }

    /// The end: takes all programs off their devices, and stops the workers.
    pub(super) fn stop(self, devices: impl Iterator<Item = OpenDevice>) {
        let programs = devices.map(|device| device.program).chain(self.standing.into_values());
        programs.for_each(SteerProgram::detach);
        XskSocket::close_all(self.workers.stop());
        self.pinning.end();
    }

    /// Opens a socket on each queue of a device that has the program.
    fn open_sockets(&mut self, link: &Link, device: &mut OpenDevice) -> Result<(), TakeError> {
        for queue in (0..link.rx_queues).map(QueueId) {
            let id = self.socket_ids.take(MAX_SOCKETS).ok_or(TakeError::TooMany)? as u16;
            device.socket_ids.push(id);
            device.sockets.push(XskSocket::open(self.arena, id, &link.name, queue)?);
        }
        // A program is attached by index, but a socket is bound by name, which may be another device's by now: its frames
        // would leave by the wrong door.
        if inspect::index_of(&link.name) != Some(link.ifindex) {
            return Err(TakeError::Renamed(link.name.clone()));
        }
        Ok(())
    }

    fn open(&mut self, link: &Link, options: PortOptions) -> Result<OpenDevice, TakeError> {
        if link.mtu > LARGEST_MTU {
            return Err(TakeError::Mtu(link.mtu));
        }
        let program = self.put_program(link, options)?;
        let (name, ifindex) = (link.name.clone(), link.ifindex);
        let mut device = OpenDevice { name, ifindex, program, sockets: vec![], socket_ids: vec![] };
        match self.open_sockets(link, &mut device) {
            Ok(()) => Ok(device),
            Err(error) => {
                self.close(device);
                Err(error)
            }
        }
    }

    /// A program that knows no sockets yet: in the place of the one that stands there, if any.
    fn put_program(&mut self, link: &Link, options: PortOptions) -> Result<SteerProgram, TakeError> {
        let PortOptions { no_socket, allow_generic, .. } = options;
        let options = ProgramOptions { queues: link.rx_queues, no_socket, allow_generic };
        let mut program = match self.standing.remove(&link.ifindex) {
            Some(mut standing) if standing.can_be(options) => {
                if let Err(error) = standing.renew(&mut self.loader, options) {
                    self.standing.insert(link.ifindex, standing);
                    return Err(error.into());
                }
                standing
            }
            found => {
                found.into_iter().for_each(SteerProgram::detach);
                SteerProgram::attach(&mut self.loader, link.ifindex, options, self.pinning.pins())?
            }
        };
        self.pinning.pin(&mut program, link, no_socket);
        Ok(program)
    }

    /// Closes the sockets and brings their frames home. The program stays.
    fn close(&mut self, device: OpenDevice) {
        XskSocket::close_all(device.sockets);
        device.socket_ids.into_iter().for_each(|id| self.socket_ids.give_back(u32::from(id)));
        self.standing.insert(device.ifindex, device.program);
    }
}

impl Devices for AfXdp {
    type Handle = OpenDevice;

    /// Frames are dropped, or passed, as the options say, until [`AfXdp::connect`].
    fn take(
        &mut self,
        link: &Link,
        slot: LinkSlot,
        options: PortOptions,
    ) -> Result<(OpenDevice, Vec<WorkerId>), String> {
        let device = self.open(link, options).map_err(|error| error.to_string())?;
        let owners = device.sockets.iter().map(|socket| self.workers.owner_of(slot, socket.queue()));
        let owners = owners.collect();
        Ok((device, owners))
    }

    /// Gives the sockets to their workers, and the frames to the sockets.
    async fn connect(&mut self, slot: LinkSlot, device: &mut OpenDevice) -> Result<(), WorkerPoolError> {
        for socket in std::mem::take(&mut device.sockets) {
            // The map holds the socket by itself: steering first and attaching second loses nothing, for the
            // fill ring is still empty.
            if let Err(error) = device.program.steer(socket.queue(), socket.as_fd()) {
                tracing::error!(device = device.name, "{error}");
            }
            self.workers.attach(slot, socket).await?;
        }
        Ok(())
    }

    async fn release(&mut self, slot: LinkSlot, mut device: OpenDevice) {
        device.sockets.extend(self.workers.detach(slot).await);
        self.close(device);
    }

    fn keep(&mut self, wanted: impl Fn(IfIndex) -> bool) {
        let unwanted = self.standing.extract_if(.., |ifindex, _| !wanted(*ifindex));
        for (ifindex, program) in unwanted {
            program.detach();
            self.pinning.forget(ifindex);
        }
    }
}
