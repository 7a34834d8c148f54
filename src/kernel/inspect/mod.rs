//! Queries about the kernel, this process and links. Nothing here changes any state.

mod drops;
mod ethtool;
mod features;
mod host;
mod memory;
mod owner;
mod xdp;

pub use drops::transmit_drops;
pub(super) use ethtool::query_into;
pub use ethtool::{QueueCounts, has_large_receive_offload, ifindex_of, link_exists, link_name, queue_counts};
pub use features::has_udp_segmentation;
pub(super) use features::{FeatureState, feature};
pub(super) use host::NEEDED;
pub use host::{
    Capabilities, capabilities, check_af_xdp, has_btf, has_vlan_tag_kfunc, jit_hardening, kernel_release,
    kernel_version, may_mount, memlock_limit,
};
pub use memory::{MemoryLimit, free_huge_pages, memory_limit};
pub use owner::{Process, ProgramOwner, owner_of};
pub use xdp::{Attached, NativeXdp, XdpMode, XdpOfLink, xdp};
