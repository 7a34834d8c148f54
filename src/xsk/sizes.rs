//! Sizes of chunks, rings and bursts, in one place because they depend on each other.

/// Bytes of one chunk: the smallest that UMEM allows (`XDP_UMEM_MIN_CHUNK_SIZE`), and enough for an MTU of
/// 1500 and several tags.
pub const CHUNK_BYTES: usize = 2048;

/// Bytes that the kernel leaves free before a received frame (`XDP_PACKET_HEADROOM`): room to push 64 tags.
pub const HEADROOM_BYTES: usize = 256;

/// Frames of one burst: enough to share the cost of a system call, few enough to stay in the cache.
pub const BURST_FRAMES: usize = 64;

/// Descriptors in the fill ring and in the RX ring. Both have the same size, so the RX ring never overflows:
/// the fill ring runs empty first. Received frames move on into the worker's memory, so the rings hold only
/// what arrives while the worker is off its CPU: 4 ms at a million frames a second.
pub const RECEIVE_RING_SIZE: usize = 4096;

/// Descriptors in the TX ring and in the completion ring. In copy mode a system call empties the whole TX
/// ring.
pub const TRANSMIT_RING_SIZE: usize = 2048;

/// Most chunks of a frame that the kernel transmits: it builds an skb of the first and one page for each
/// other chunk, and an skb has at most 17 pages (`MAX_SKB_FRAGS`).
const MAX_TRANSMIT_CHUNKS: usize = 17;

/// Bytes of the longest frame that can be transmitted. One chunk is kept in reserve: each chunk of a frame
/// may hold less than `CHUNK_BYTES - HEADROOM_BYTES`, because tags were stripped.
pub const LONGEST_FRAME_BYTES: usize = (MAX_TRANSMIT_CHUNKS - 1) * (CHUNK_BYTES - HEADROOM_BYTES);

/// Bytes of a chunk of a socket in zero-copy mode: the largest that UMEM allows, a page. A frame has one.
pub(super) const NIC_CHUNK_BYTES: usize = 4096;

/// Bytes of the longest frame that a NIC can receive into a chunk, after `XDP_PACKET_HEADROOM`.
pub const LONGEST_NIC_FRAME_BYTES: usize = NIC_CHUNK_BYTES - 256;

/// Chunks, and descriptors in the fill ring, of a socket in zero-copy mode. The NIC receives the host's
/// frames into them as well, so more than the RX ring holds: a worker that is off its CPU leaves the rest to
/// them.
pub(super) const NIC_RECEIVE_CHUNKS: usize = 2048;

/// Descriptors in the RX ring of a socket in zero-copy mode.
pub(super) const NIC_RECEIVE_RING_SIZE: usize = 1024;

/// Descriptors in the TX ring and in the completion ring of a socket in zero-copy mode, and chunks for them.
pub(super) const NIC_TRANSMIT_RING_SIZE: usize = 1024;

const _: () = assert!(NIC_RECEIVE_RING_SIZE < NIC_RECEIVE_CHUNKS);
const _: () = assert!(HEADROOM_BYTES < CHUNK_BYTES);
const _: () = assert!(RECEIVE_RING_SIZE.is_power_of_two() && TRANSMIT_RING_SIZE.is_power_of_two());
// The longest frame fits one burst of descriptors, or `transmit` would never place it.
const _: () = assert!(MAX_TRANSMIT_CHUNKS <= BURST_FRAMES && BURST_FRAMES <= TRANSMIT_RING_SIZE);
