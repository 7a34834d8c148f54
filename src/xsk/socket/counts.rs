//! What a socket counts: chunks in its rings, and what the kernel dropped.

use std::io;

use super::XskSocket;

/// How many chunks a socket's rings hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RingCensus {
    /// Given to the kernel to receive into.
    pub fill: usize,
    /// Received, not yet taken.
    pub rx: usize,
    /// Handed over for sending, not yet sent.
    pub tx: usize,
    /// Sent, not yet taken back.
    pub completion: usize,
}

/// The kernel's counters of one socket (`XDP_STATISTICS`, `Documentation/networking/af_xdp.rst`). Frames, from the
/// opening of the socket on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SocketStatistics {
    /// Dropped for other reasons than a full ring; too long for a frame, for one.
    pub rx_dropped: u64,
    /// Fill descriptors that name no chunk.
    pub rx_invalid: u64,
    /// TX descriptors that name no chunk or are too long.
    pub tx_invalid: u64,
    /// Dropped because the RX ring was full.
    pub rx_ring_full: u64,
    /// Dropped because the fill ring was empty.
    pub fill_ring_empty: u64,
    /// Times the TX ring was found empty.
    pub tx_ring_empty: u64,
}

impl XskSocket {
    /// Counts the chunks in each ring.
    pub fn census(&mut self) -> RingCensus {
        let rx = (self.rx.nb_avail_exact() as usize).min(self.receiving);
        let tx = self.tx_queued().min(self.transmitting);
        RingCensus { fill: self.receiving - rx, rx, tx, completion: self.transmitting - tx }
    }

    /// The kernel's counters.
    ///
    /// # Errors
    /// What `getsockopt` answered.
    pub fn statistics(&self) -> io::Result<SocketStatistics> {
        let kernel = self.rx.fd().xdp_statistics()?;
        Ok(SocketStatistics {
            rx_dropped: kernel.rx_dropped(),
            rx_invalid: kernel.rx_invalid_descs(),
            tx_invalid: kernel.tx_invalid_descs(),
            rx_ring_full: kernel.rx_ring_full(),
            fill_ring_empty: kernel.rx_fill_ring_empty_descs(),
            tx_ring_empty: kernel.tx_ring_empty_descs(),
        })
    }
}
