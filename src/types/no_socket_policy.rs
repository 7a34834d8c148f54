//! Outcome of frames that arrive while their RX queue has no socket.

use serde::{Deserialize, Serialize};

/// Verdict of the XDP program for a frame whose RX queue has no AF_XDP socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoSocketPolicy {
    /// `XDP_DROP`: no frame of a guest reaches the host's own network stack.
    Drop,
    /// `XDP_PASS`: the kernel's stack receives the frame, for a host with Open vSwitch or a bridge behind the
    /// switch.
    Pass,
}
