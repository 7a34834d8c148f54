//! No chunk is lost or duplicated, regardless of the outcome of the frames: free chunks + chunks sent = all
//! chunks.

use proptest::collection::vec;
use proptest::prelude::*;
use trunkpath::tables::LinkSlot;
use trunkpath::types::DropReason;
use trunkpath::types::drop_reason::Flood;

use testkit::frames::{BROADCAST, tagged};
use testkit::scenario::{Mac, Scenario};
use testkit::strategies::{Hex, any_frame, scenario};
use testkit::switch::{Recorder, Switch};

const SENDER: Mac = [2, 0, 0, 0, 0, 1];

proptest! {
    #[test]
    fn free_and_sent_chunks_are_all_chunks(
        scenario in scenario(),
        workers in vec(0..2_usize, 9),
        memory in 1..24_usize,
        inputs in vec((any::<prop::sample::Index>(), any_frame(), prop::bool::weighted(0.2)), 1..40),
    ) {
        let mut scenario = scenario;
        for (link, worker) in scenario.links.iter_mut().zip(workers) {
            link.worker = worker;
        }
        let mut switch = Switch::with_chunks(&scenario, memory);
        for (link, Hex(bytes), clear) in &inputs {
            if *clear {
                switch.outlet.sent.clear();
            }
            // With an empty arena nothing is received.
            if switch.outlet.arena.free_chunk_count() > 0 {
                let link = LinkSlot(link.index(scenario.links.len()) as u16);
                switch.receive_on(link, bytes);
                let Recorder { arena, sent, waiting, .. } = &switch.outlet;
                prop_assert_eq!(arena.free_chunk_count() + sent.len() + waiting.len(), memory);
                switch.take_waiting();
            }
            prop_assert_eq!(switch.outlet.arena.free_chunk_count() + switch.outlet.sent.len(), memory);
        }
        switch.outlet.sent.clear();
        prop_assert_eq!(switch.outlet.arena.free_chunk_count(), memory);
    }
}

/// A network with a sender and `receivers` others, every second one a subport.
fn crowd(receivers: u32) -> Scenario {
    let mut scenario = Scenario::default().network("net", 1).port("sender", 1, "net", SENDER).link("sender");
    for number in 2..2 + receivers {
        let (id, mac) = (format!("port{number}"), [2, 0, 0, 0, 0, number as u8]);
        scenario = scenario.port(&id, number, "net", mac);
        scenario = if number % 2 == 0 {
            scenario.link(&id)
        } else {
            scenario.segmentation(&id, "sender", number as u16, &id)
        };
    }
    scenario
}

#[test]
fn a_flood_with_too_few_chunks_reaches_some_and_counts_the_others() {
    const RECEIVERS: u32 = 9;
    for memory in 1..=12 {
        let mut switch = Switch::with_chunks(&crowd(RECEIVERS), memory);
        let sent = switch.send("sender", &tagged(BROADCAST, SENDER, &[]));
        let missed: u64 = switch.drops().values().sum();
        assert_eq!(sent.len(), memory.min(RECEIVERS as usize), "a frame for each copy, and the original");
        assert_eq!(sent.len() as u64 + missed, u64::from(RECEIVERS), "{memory} frames");
        assert!(switch.drops().keys().all(|(port, reason)| {
            *reason == DropReason::Flood(Flood::NoChunk) && port.as_deref() != Some("sender")
        }));
        assert_eq!(switch.outlet.arena.free_chunk_count(), memory);
    }
}
