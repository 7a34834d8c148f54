//! Completion of checksums: a frame without a partial one stays unchanged, and a second completion changes
//! nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkpath::packet::checksum::{Completion, complete};

fuzz_target!(|frame: &[u8]| {
    let mut once = frame.to_vec();
    let completion = complete(&mut once, std::iter::empty());
    assert_eq!(once.len(), frame.len());
    assert!(completion == Completion::Completed || once == frame);
    let mut twice = once.clone();
    complete(&mut twice, std::iter::empty());
    assert_eq!(twice, once);
});
