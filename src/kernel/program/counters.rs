//! The counters of a program.

use std::sync::Arc;

use libbpf_rs::{MapCore, MapFlags, MapHandle};

use super::error::ProgramError;

// The order of `enum steer_counter` in bpf/steer_abi.h and of `enum uplink_counter` in bpf/uplink_abi.h.
const REDIRECTED: u32 = 0;
const PASSED: u32 = 1;
const DROPPED: u32 = 2;
const PROVIDER: u32 = 3;

/// Outcomes of the frames that ran the program so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SteerCounters {
    /// Frames redirected to a socket.
    pub redirected: u64,
    /// Those of them that belong to a provider network; on an uplink, the others are of tunnels.
    pub provider: u64,
    /// Frames passed to the kernel: the host's own, on an uplink; no socket, and policy `pass`.
    pub passed: u64,
    /// Frames dropped: no socket and policy `drop`, or a tag that could not be restored.
    pub dropped: u64,
}

/// The counters of a program. Clones read the same ones, on any thread and also after the program was
/// detached.
#[derive(Debug, Clone)]
pub struct ProgramCounters(Arc<MapHandle>);

impl ProgramCounters {
    pub(super) fn new(map: MapHandle) -> Self {
        Self(Arc::new(map))
    }

    /// Reads the counters, summed over the CPUs.
    ///
    /// # Errors
    /// [`ProgramError::Map`].
    pub fn read(&self) -> Result<SteerCounters, ProgramError> {
        // The program of a port counts no frames of provider networks.
        let provider = if self.0.max_entries() > PROVIDER { self.sum(PROVIDER)? } else { 0 };
        Ok(SteerCounters {
            redirected: self.sum(REDIRECTED)? + provider,
            provider,
            passed: self.sum(PASSED)?,
            dropped: self.sum(DROPPED)?,
        })
    }

    fn sum(&self, counter: u32) -> Result<u64, ProgramError> {
        let cpus = self.0.lookup_percpu(&counter.to_ne_bytes(), MapFlags::ANY).map_err(ProgramError::Map)?;
        let values = cpus.iter().flatten().filter_map(|bytes| bytes.first_chunk().copied());
        Ok(values.map(u64::from_ne_bytes).sum())
    }
}
