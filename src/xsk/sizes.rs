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

const _: () = assert!(HEADROOM_BYTES < CHUNK_BYTES);
const _: () = assert!(RECEIVE_RING_SIZE.is_power_of_two() && TRANSMIT_RING_SIZE.is_power_of_two());
// The longest frame fits one burst of descriptors, or `transmit` would never place it.
const _: () = assert!(MAX_TRANSMIT_CHUNKS <= BURST_FRAMES && BURST_FRAMES <= TRANSMIT_RING_SIZE);
