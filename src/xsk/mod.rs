//! UMEM, frame tokens, rings and sockets. One of the two folders with `unsafe` in it.
//!
//! The rule that every proof here rests on: a chunk of UMEM is in exactly one place, and [`Arena`] records
//! which. In user space its owner is a [`Frame`], which cannot be copied; with the kernel it is in the fill
//! or RX ring, or in the TX or completion ring, of one socket. Only sockets in copy mode, which is checked
//! when they are opened, have chunks of the arena in their rings; one in zero-copy mode has a memory of its
//! own.

mod arena;
mod chunks;
mod copy_mode;
mod descriptor;
mod error;
mod frame;
mod nic_memory;
mod place;
mod pool;
mod prefetch;
mod sizes;
mod socket;
mod span;
mod umem;

pub use arena::Arena;
pub use chunks::Chunks;
pub use error::ArenaError;
pub use frame::Frame;
pub use place::ArenaCensus;
pub use pool::ChunkPool;
pub(crate) use prefetch::prefetch;
pub use sizes::{
    BURST_FRAMES, CHUNK_BYTES, HEADROOM_BYTES, LONGEST_FRAME_BYTES, LONGEST_NIC_FRAME_BYTES,
    RECEIVE_RING_SIZE, TRANSMIT_RING_SIZE,
};
pub use socket::{OpenError, RingCensus, SocketMode, SocketStatistics, XskSocket};
