//! UMEM, frame tokens, rings and sockets. One of the two folders with `unsafe` in it.
//!
//! The rule that every proof here rests on: a chunk of UMEM is in exactly one place, and [`Arena`] knows which. In
//! user space the place is a [`Frame`], which cannot be copied; with the kernel it is one socket's fill and RX
//! rings, or its TX and completion rings.

mod arena;
mod buffers;
mod descriptor;
mod frame;
mod pool;
mod socket;
mod span;

pub use arena::{Arena, ArenaCensus, ArenaError, FRAME_BYTES, HEADROOM_BYTES};
pub use buffers::Buffers;
pub use frame::Frame;
pub use pool::FramePool;
pub use socket::{
    BURST_FRAMES, LONGEST_FRAME, OpenError, RECEIVE_RING_FRAMES, RingCensus, SocketStatistics,
    TRANSMIT_RING_FRAMES, XskSocket,
};
