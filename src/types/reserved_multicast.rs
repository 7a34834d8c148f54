//! Outcome of frames to addresses that bridges do not forward.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Outcome of frames to 01:80:c2:00:00:00 to 0f (IEEE Std 802.1Q-2022, table 8-1): STP, PAUSE, LACP,
/// 802.1X, LLDP and others are for the next bridge only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ReservedMulticast {
    /// The frames are dropped, as the standard requires of bridges.
    #[default]
    Drop,
    /// The frames are flooded as other multicasts.
    Pass,
}
