//! Questions to the kernel about itself, this process and the links. Nothing here changes anything.

use serde::{Deserialize, Serialize};

/// Where in a driver's path an XDP program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum XdpMode {
    /// In the driver, before an skb exists.
    Native,
    /// After the skb was made (`XDP_FLAGS_SKB_MODE`).
    Generic,
    /// In the NIC.
    Offload,
}
