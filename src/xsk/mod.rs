//! UMEM, frame tokens, rings and sockets. One of the two folders with `unsafe` in it.
//!
//! The rule that every proof here rests on: a chunk of UMEM is in exactly one place, and [`Arena`] knows which. In
//! user space the place is a [`Frame`], which cannot be copied; with the kernel it is one socket's fill and RX
//! rings, or its TX and completion rings.

mod arena;
mod chunks;
mod descriptor;
mod frame;
mod pool;
mod socket;
mod span;

pub use arena::{Arena, ArenaCensus, ArenaError, CHUNK_BYTES, HEADROOM_BYTES};
pub use chunks::Chunks;
pub use frame::Frame;
pub use pool::ChunkPool;
pub use socket::{
    BURST_FRAMES, LONGEST_FRAME_BYTES, OpenError, RECEIVE_RING_SIZE, RingCensus, SocketStatistics,
    TRANSMIT_RING_SIZE, XskSocket,
};
