//! Security groups compared with the naive model: rules and members change, time passes, and packets of guarded
//! ports pass or are dropped for the same reason in both halves. The input selects the steps.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkpath::xsk::Arena;

use testkit::security_groups::Run;
use testkit::security_groups::steps::steps_of;

/// Steps of a run at most, so that one takes milliseconds.
const STEPS: usize = 100;

thread_local! {
    static ARENA: &'static Arena = Arena::heap(64).unwrap();
}

fuzz_target!(|input: &[u8]| {
    let (arena, steps) = (ARENA.with(|arena| *arena), steps_of(input, STEPS));
    if let Err(error) = Run::new(arena).take_all(&steps) {
        panic!("{error}, after {steps:#?}");
    }
    assert_eq!(arena.free_chunk_count(), arena.chunk_count());
});
