//! Offloads of a link, as `ethtool -k` prints them (`ETHTOOL_GFEATURES`).

use std::io;

use super::ethtool::query_into;

// Names in linux/ethtool.h: ETHTOOL_GSTRINGS, ETHTOOL_GSSET_INFO, ETHTOOL_GFEATURES, ETH_SS_FEATURES.
const GET_STRINGS: u32 = 0x1b;
const GET_SET_SIZES: u32 = 0x37;
const GET_FEATURES: u32 = 0x3a;
const FEATURE_NAMES: u32 = 4;

/// Words of one feature name (`ETH_GSTRING_LEN`).
const NAME_WORDS: usize = 8;

/// Words of `struct ethtool_get_features_block`, which describes 32 features: available, requested, active,
/// unchangeable.
const BLOCK_WORDS: usize = 4;
const ACTIVE: usize = 2;

/// A feature of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kernel) struct FeatureState {
    /// Its bit, in blocks of 32 features.
    pub(in crate::kernel) bit: usize,
    /// Number of blocks of the features of this kernel.
    pub(in crate::kernel) blocks: usize,
    pub(in crate::kernel) is_on: bool,
}

/// Whether the kernel passes long UDP packets to a link uncut (`tx-udp-segmentation`). A tap has that on
/// while its VM accepts such packets (`TUN_F_USO4` and `TUN_F_USO6`, Linux 6.2).
///
/// # Errors
/// The error of the kernel; `ENODEV` when the link does not exist.
pub fn has_udp_segmentation(link: &str) -> io::Result<bool> {
    Ok(feature(link, "tx-udp-segmentation")?.is_some_and(|feature| feature.is_on))
}

/// The state of a feature; `None` if the kernel has no feature of that name.
pub(in crate::kernel) fn feature(link: &str, name: &str) -> io::Result<Option<FeatureState>> {
    let names = names(link)?;
    let Some(bit) = names.iter().position(|found| found == name) else { return Ok(None) };
    let blocks = names.len().div_ceil(32);
    let mut words = vec![0; 2 + blocks * BLOCK_WORDS];
    (words[0], words[1]) = (GET_FEATURES, blocks as u32);
    // SAFETY: the result is a struct ethtool_gfeatures: two words, and at most as many blocks as the second
    // word says.
    unsafe { query_into(link, &mut words) }?;
    let active = words.get(2 + bit / 32 * BLOCK_WORDS + ACTIVE).copied().unwrap_or(0);
    Ok(Some(FeatureState { bit, blocks, is_on: active & (1 << (bit % 32)) != 0 }))
}

/// The names of all features, in the order of their bits. They are the same for all links.
fn names(link: &str) -> io::Result<Vec<String>> {
    let mut sizes = [0; 5];
    sizes[0] = GET_SET_SIZES;
    // A mask of 64 bits, whose lower half comes first on a little-endian CPU.
    let half = if cfg!(target_endian = "little") { 2 } else { 3 };
    sizes[half] = 1 << FEATURE_NAMES;
    // SAFETY: the result is a struct ethtool_sset_info: four words, and one for each set of the mask, which
    // has one.
    unsafe { query_into(link, &mut sizes) }?;
    let count = sizes[4] as usize;
    let mut words = vec![0; 3 + count * NAME_WORDS];
    words[..3].copy_from_slice(&[GET_STRINGS, FEATURE_NAMES, sizes[4]]);
    // SAFETY: the result is a struct ethtool_gstrings: three words, and a name of 32 bytes for each feature.
    // Their number is a constant of the kernel, read above.
    unsafe { query_into(link, &mut words) }?;
    Ok(words[3..].chunks_exact(NAME_WORDS).map(name).collect())
}

/// Decodes a text that ends at the first zero byte.
fn name(words: &[u32]) -> String {
    let bytes: Vec<u8> =
        words.iter().flat_map(|word| word.to_ne_bytes()).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_of_the_loopback_are_read() {
        let is_on = |name| feature("lo", name).unwrap().map(|feature| feature.is_on);
        assert_eq!(is_on("loopback"), Some(true), "fixed on");
        assert_eq!(is_on("rx-vlan-filter"), Some(false), "fixed off");
        assert_eq!(is_on("no-such-feature"), None);
        assert_eq!(has_udp_segmentation("no-such-link").unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }
}
