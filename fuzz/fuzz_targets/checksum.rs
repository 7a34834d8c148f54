//! Completing a checksum: at most two bytes change, and a second time none does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkpath::packet::checksum::complete;

fuzz_target!(|frame: &[u8]| {
    let mut once = frame.to_vec();
    let was_partial = complete(&mut once, std::iter::empty());
    let first = once.iter().zip(frame).position(|(new, old)| new != old);
    let last = once.iter().zip(frame).rposition(|(new, old)| new != old);
    assert!(was_partial || first.is_none());
    if let (Some(first), Some(last)) = (first, last) {
        assert!(last - first <= 1);
    }
    let mut twice = once.clone();
    complete(&mut twice, std::iter::empty());
    assert_eq!(twice, once);
});
