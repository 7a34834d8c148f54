//! Offloads of reception (`ETHTOOL_SFEATURES`).

use std::fmt;
use std::io;

use crate::kernel::inspect::{FeatureState, feature, query_into};

const SET_FEATURES: u32 = 0x3b;

/// Words of `struct ethtool_set_features_block`, which describes 32 features: to change, requested.
const BLOCK_WORDS: usize = 2;

/// An offload that an uplink does without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offload {
    /// The NIC moves the VLAN tag of a received frame to its descriptor.
    TagStripping,
    /// The NIC merges received frames of one flow.
    LargeReceive,
}

/// A state of an offload that can be requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    Off,
    On,
}

impl Offload {
    /// The kernel's name of the feature (`net/ethtool/common.c`).
    const fn feature_name(self) -> &'static str {
        match self {
            Self::TagStripping => "rx-vlan-hw-parse",
            Self::LargeReceive => "rx-lro",
        }
    }

    /// The name for `ethtool -K`.
    pub(super) const fn short_name(self) -> &'static str {
        match self {
            Self::TagStripping => "rxvlan",
            Self::LargeReceive => "lro",
        }
    }

    /// The effect on the frames of an uplink.
    pub(super) const fn effect(self) -> &'static str {
        match self {
            Self::TagStripping => "VLAN tags would be lost",
            Self::LargeReceive => "merged frames fit no chunk",
        }
    }

    /// Whether the offload is on; not if the kernel does not have it.
    pub(super) fn is_on(self, link: &str) -> io::Result<bool> {
        Ok(feature(link, self.feature_name())?.is_some_and(|feature| feature.is_on))
    }

    /// Requests a state. Succeeds also when the driver does not follow.
    pub(super) fn switch(self, link: &str, to: Switch) -> io::Result<()> {
        let Some(FeatureState { bit, blocks, .. }) = feature(link, self.feature_name())? else {
            return Ok(());
        };
        let mut words = vec![0; 2 + blocks * BLOCK_WORDS];
        (words[0], words[1]) = (SET_FEATURES, blocks as u32);
        let block = 2 + bit / 32 * BLOCK_WORDS;
        let mask = 1 << (bit % 32);
        words[block] = mask;
        words[block + 1] = if to == Switch::On { mask } else { 0 };
        // SAFETY: the request is a struct ethtool_sfeatures: two words, and as many blocks as the second word
        // says. The kernel reads it and writes nothing.
        unsafe { query_into(link, &mut words) }
    }
}

/// The name for `ethtool -K`.
impl fmt::Display for Offload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short_name())
    }
}
