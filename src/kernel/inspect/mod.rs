//! Questions to the kernel about itself, this process and the links. Nothing here changes anything.

mod drops;
mod ethtool;
mod features;
mod host;
mod memory;
mod owner;
mod xdp;

use serde::{Deserialize, Serialize};

pub use drops::transmit_drops;
pub use ethtool::{QueueCounts, has_large_receive_offload, ifindex_of, link_exists, queue_counts};
pub use features::has_udp_segmentation;
pub(super) use host::NEEDED;
pub use host::{
    Capabilities, capabilities, check_af_xdp, has_btf, has_vlan_tag_kfunc, jit_hardening, kernel_release,
    kernel_version, may_mount, memlock_limit,
};
pub use memory::{MemoryLimit, free_huge_pages, memory_limit};
pub use owner::{Process, ProgramOwner, owner_of};
pub use xdp::{Attached, NativeXdp, XdpOfLink, xdp};

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

impl XdpMode {
    /// Its name, as `show ports` prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
            Self::Offload => "offload",
        }
    }
}
