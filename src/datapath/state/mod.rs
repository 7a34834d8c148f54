//! What a worker remembers from one packet to the next: plain memory with one writer, made when the worker
//! starts.

mod meter;

use meter::Meters;

/// The state of one worker.
#[derive(Debug, Default)]
pub struct State {
    /// The rations of the guests.
    pub(super) meters: Meters,
}
