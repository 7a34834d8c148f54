//! Writing an address into a `FrameDesc`.
//!
//! Pushing or stripping a tag moves the start of a frame, and xsk-rs 0.11 has no way to say so: a descriptor's
//! address can be read but not set. Its fields are plain integers, so a descriptor with any bytes in it is a valid
//! one; what is not known is which of its words is which. [`DescriptorLayout::probe`] finds out at start, by writing
//! into copies and reading back through the public getters, and finds nothing if the crate has changed.

use std::mem::size_of;

use xsk_rs::FrameDesc;

/// Says in a descriptor's options that the frame goes on in the next one (`linux/if_xdp.h`).
pub(super) const XDP_PKT_CONTD: u32 = 1;

const WORDS: usize = size_of::<FrameDesc>() / size_of::<usize>();

/// The words of a `FrameDesc` that hold the address and the data length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DescriptorLayout {
    address: usize,
    data_len: usize,
}

impl DescriptorLayout {
    /// Looks for the two words; `None` when either is not exactly one.
    pub(super) fn probe() -> Option<Self> {
        const MARK: usize = 0x5ca1_ab1e;
        let only = |reads: fn(&FrameDesc) -> [usize; 4], want: [usize; 4]| {
            let mut found = (0..WORDS).filter(|&word| {
                let mut descriptor = FrameDesc::default();
                write_word(&mut descriptor, word, MARK);
                reads(&descriptor) == want
            });
            found.next().filter(|_| found.next().is_none())
        };
        let fields: fn(&FrameDesc) -> [usize; 4] =
            |d| [d.addr(), d.lengths().data(), d.lengths().headroom(), d.options() as usize];
        Some(Self { address: only(fields, [MARK, 0, 0, 0])?, data_len: only(fields, [0, MARK, 0, 0])? })
    }

    /// A descriptor of `len` bytes at `address` of the UMEM.
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
    // SAFETY: the address lies in the descriptor, borrowed mutably, and is aligned (asserted above). A `FrameDesc`
    // consists of integers and padding only, for which every bit pattern is valid.
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
