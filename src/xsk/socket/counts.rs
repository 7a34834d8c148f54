//! Counts of a socket: chunks in its rings, and frames that the kernel dropped.

use std::io;

use super::{Memory, SocketMode, XskSocket};

/// Number of chunks in each ring of a socket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RingCensus {
    /// Given to the kernel to receive into.
    pub fill: usize,
    /// Received, not yet taken by the worker.
    pub rx: usize,
    /// Handed to the kernel, not yet transmitted.
    pub tx: usize,
    /// Transmitted, not yet back in a pool.
    pub completion: usize,
}

/// The kernel's counters of one socket since it was opened, in frames (`XDP_STATISTICS`,
/// `Documentation/networking/af_xdp.rst`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SocketStatistics {
    /// Received frames dropped for other reasons than a full ring, for example a frame longer than its
    /// chunks.
    pub rx_dropped: u64,
    /// Descriptors in the fill ring that name no chunk.
    pub rx_invalid: u64,
    /// Descriptors in the TX ring that name no chunk or are too long.
    pub tx_invalid: u64,
    /// Received frames dropped because the RX ring was full.
    pub rx_ring_full: u64,
    /// Received frames dropped because the fill ring was empty.
    pub fill_ring_empty: u64,
    /// Times that the kernel found the TX ring empty.
    pub tx_ring_empty: u64,
}

impl XskSocket {
    /// Counts the chunks of the arena in each ring.
    pub fn census(&mut self) -> RingCensus {
        if self.mode() == SocketMode::ZeroCopy {
            return RingCensus::default();
        }
        let rx = (self.rx.nb_avail_exact() as usize).min(self.receiving);
        let tx = self.tx_queued().min(self.transmitting);
        RingCensus { fill: self.receiving - rx, rx, tx, completion: self.transmitting - tx }
    }

    /// Reads the kernel's counters.
    ///
    /// # Errors
    /// The error of `getsockopt`.
    pub fn statistics(&self) -> io::Result<SocketStatistics> {
        let kernel = self.rx.fd().xdp_statistics()?;
        let too_long = match &self.memory {
            Memory::Arena(_) => 0,
            Memory::Nic(nic) => nic.too_long,
        };
        Ok(SocketStatistics {
            rx_dropped: kernel.rx_dropped(),
            rx_invalid: kernel.rx_invalid_descs(),
            tx_invalid: kernel.tx_invalid_descs() + too_long,
            rx_ring_full: kernel.rx_ring_full(),
            fill_ring_empty: kernel.rx_fill_ring_empty_descs(),
            tx_ring_empty: kernel.tx_ring_empty_descs(),
        })
    }
}
