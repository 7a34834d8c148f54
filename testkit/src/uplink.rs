//! An uplink without a daemon: the program, the settings of the NIC and the sockets.

use std::collections::VecDeque;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use trunkpath::kernel::{
    NicSettings, NicUse, ProgramLoader, SteerCounters, TagPlace, UplinkProgram, inspect,
};
use trunkpath::types::{IfIndex, QueueId, UplinkSelection};
use trunkpath::xsk::{Arena, ChunkPool, Frame, SocketMode, XskSocket};

/// Limit for an event, also of an emulated machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Chunks that a socket may have to receive into.
const TO_RECEIVE: usize = 256;

/// An open uplink of this network namespace.
#[derive(Debug)]
pub struct Uplink {
    pub program: UplinkProgram,
    pub settings: NicSettings,
    pub sockets: Vec<XskSocket>,
}

/// The index of a link of this network namespace.
pub fn ifindex(link: &str) -> IfIndex {
    inspect::ifindex_of(link).unwrap_or_else(|| panic!("no link {link}"))
}

impl Uplink {
    /// Opens a link for provider networks, as the daemon does. Its sockets have the numbers from `first_id`
    /// on.
    pub fn open(
        arena: &'static Arena,
        (link, tags): (&str, TagPlace),
        mode: SocketMode,
        first_id: u16,
        selection: &UplinkSelection,
    ) -> Self {
        let index = ifindex(link);
        let queues = inspect::queue_counts(link, index).expect("its queues").rx;
        let mut settings = NicSettings::of(index);
        settings.apply(link, NicUse::Provider, tags).unwrap_or_else(|error| panic!("{error}"));
        let program = UplinkProgram::attach(&mut ProgramLoader::default(), index, queues, tags);
        let program = program.unwrap_or_else(|error| panic!("{error}"));
        let open = |queue| {
            let id = first_id + queue;
            let socket = match mode {
                SocketMode::Copy => XskSocket::open(arena, id, link, QueueId(queue)),
                SocketMode::ZeroCopy => XskSocket::open_zero_copy(arena, id, link, QueueId(queue)),
            };
            socket.unwrap_or_else(|error| panic!("{error}"))
        };
        let sockets: Vec<_> = (0..queues).map(open).collect();
        for socket in &sockets {
            program.steer(socket.queue(), socket.as_fd()).unwrap();
        }
        program.select(selection).unwrap();
        Self { program, settings, sockets }
    }

    pub fn counters(&self) -> SteerCounters {
        self.program.counters().read().unwrap()
    }

    /// Gives chunks of `pool` to the kernel to receive into.
    pub fn fill(&mut self, pool: &mut ChunkPool) {
        for socket in &mut self.sockets {
            socket.refill(pool, TO_RECEIVE);
        }
    }

    /// Receives what has arrived.
    pub fn poll(&mut self, pool: &mut ChunkPool, frames: &mut VecDeque<Frame>) {
        for socket in &mut self.sockets {
            socket.receive(frames, TO_RECEIVE);
        }
        self.fill(pool);
    }

    /// Receives until `count` frames have arrived.
    pub fn receive(&mut self, pool: &mut ChunkPool, count: usize) -> Vec<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        let mut frames = VecDeque::new();
        while frames.len() < count {
            self.poll(pool, &mut frames);
            assert!(Instant::now() < deadline, "{} of {count} frames, {:?}", frames.len(), self.counters());
        }
        frames.into_iter().map(|frame| frame.to_vec()).collect()
    }

    /// Sends copies of `frames` by the first socket.
    pub fn send(&mut self, pool: &mut ChunkPool, frames: &[Vec<u8>]) {
        let deadline = Instant::now() + PATIENCE;
        let socket = &mut self.sockets[0];
        let copy = |bytes: &Vec<u8>| {
            let mut frame = pool.take().expect("a chunk");
            frame.clear();
            assert!(frame.extend([&bytes[..]], || pool.take()));
            frame
        };
        let mut waiting: Vec<_> = frames.iter().map(copy).collect();
        while !waiting.is_empty() || socket.transmitting() > 0 {
            socket.transmit(&mut waiting);
            socket.kick();
            socket.complete(pool);
            assert!(Instant::now() < deadline, "{} frames are not transmitted", socket.transmitting());
        }
    }

    /// Closes the sockets, which leaves all frames to the kernel.
    pub fn close_sockets(&mut self) {
        XskSocket::close_all(std::mem::take(&mut self.sockets));
    }

    /// Gives the link up.
    pub fn close(mut self) {
        self.close_sockets();
        self.program.detach();
        drop(self.settings);
    }
}
