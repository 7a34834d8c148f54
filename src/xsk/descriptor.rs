//! Writing an address into a `FrameDesc`.
//!
//! Pushing or stripping a tag moves the start of a frame, but in xsk-rs 0.11 the address of a descriptor can
//! be read and not set. Its fields are plain integers, so any bytes are a valid descriptor; only the order of
//! the fields is unknown. [`DescriptorLayout::probe`] determines it at start: it writes into copies and reads
//! back through the public getters. It returns nothing if the crate has changed.

use std::mem::size_of;

use xsk_rs::FrameDesc;

/// Option of a descriptor: the frame continues in the next descriptor (`linux/if_xdp.h`).
pub(super) const XDP_PKT_CONTD: u32 = 1;

const WORDS: usize = size_of::<FrameDesc>() / size_of::<usize>();

const _: () = assert!(size_of::<FrameDesc>() == 32, "the descriptors of a burst take 2 KiB");

/// Indexes of the words of a `FrameDesc` that hold the address and the data length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DescriptorLayout {
    address: usize,
    data_len: usize,
}

impl DescriptorLayout {
    /// Finds the two words; `None` when either is not exactly one word.
    pub(super) fn probe() -> Option<Self> {
        const MARK: usize = 0x5ca1_ab1e;
        let only = |fields: fn(&FrameDesc) -> [usize; 4], expected: [usize; 4]| {
            let mut found = (0..WORDS).filter(|&word| {
                let mut descriptor = FrameDesc::default();
                write_word(&mut descriptor, word, MARK);
                fields(&descriptor) == expected
            });
            found.next().filter(|_| found.next().is_none())
        };
        let fields: fn(&FrameDesc) -> [usize; 4] =
            |d| [d.addr(), d.lengths().data(), d.lengths().headroom(), d.options() as usize];
        Some(Self { address: only(fields, [MARK, 0, 0, 0])?, data_len: only(fields, [0, MARK, 0, 0])? })
    }

    /// The descriptor of `len` bytes at offset `address` of the UMEM.
    #[inline]
    pub(super) fn descriptor(self, address: usize, len: usize) -> FrameDesc {
        let mut descriptor = FrameDesc::default();
        write_word(&mut descriptor, self.address, address);
        write_word(&mut descriptor, self.data_len, len);
        debug_assert_eq!((descriptor.addr(), descriptor.lengths().data()), (address, len));
        descriptor
    }
}

#[inline]
fn write_word(descriptor: &mut FrameDesc, word: usize, value: usize) {
    const { assert!(align_of::<FrameDesc>() >= align_of::<usize>()) };
    debug_assert!(word < WORDS);
    // `wrapping_add` and one write: `word` is below WORDS, so the address lies in the descriptor.
    let address = (&raw mut *descriptor).cast::<usize>().wrapping_add(word);
    // SAFETY: the address lies in the descriptor, borrowed mutably, and is aligned (asserted above). A
    // `FrameDesc` consists of integers and padding only, for which every bit pattern is valid.
    unsafe { address.write(value) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_reads_back_what_was_written() {
        let layout = DescriptorLayout::probe().expect("the pinned xsk-rs");
        for (address, len) in [(0, 0), (252, 64), (usize::MAX >> 16, 2048)] {
            let descriptor = layout.descriptor(address, len);
            assert_eq!((descriptor.addr(), descriptor.lengths().data()), (address, len));
            assert_eq!((descriptor.options(), descriptor.lengths().headroom()), (0, 0));
        }
    }
}
