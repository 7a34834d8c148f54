//! Comparison of the datapath with the naive model, for random scenarios and frames.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use trunkpath::tables::LinkSlot;
use trunkpath::types::DropReason;

use testkit::model::{self, Holders, Outcome};
use testkit::strategies::{Hex, any_frame, scenario};
use testkit::switch::Switch;

type Drops = BTreeMap<(Option<String>, DropReason), u64>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn same_frames_same_drops_same_counters(
        scenario in scenario(),
        frames in vec((any::<prop::sample::Index>(), any_frame(), 0..700_u64), 1..20),
    ) {
        let mut switch = Switch::with_chunks(&scenario, 16);
        let mut drops = Drops::new();
        let mut received: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut holders = Holders::default();
        for (link, Hex(frame), pause) in &frames {
            holders.now += pause;
            switch.outlet.now = holders.now * 1_000_000;
            let link = link.index(scenario.links.len());
            let Outcome { received_from, sent, dropped } = model::forward(&scenario, &mut holders, link, frame);
            prop_assert_eq!(switch.send_on(LinkSlot(link as u16), frame), sent, "frame {:02x?}", frame);
            for dropped in dropped {
                *drops.entry(dropped).or_default() += 1;
            }
            if let Some(port) = received_from {
                let (frames, bytes) = received.entry(port).or_default();
                *frames += 1;
                *bytes += frame.len() as u64;
            }
            prop_assert_eq!(switch.drops(), drops.clone(), "frame {:02x?}", frame);
        }
        for (port, totals) in switch.compiler.counters().totals() {
            let expected = received.get(port.as_str()).copied().unwrap_or_default();
            prop_assert_eq!((totals.received_frames, totals.received_bytes), expected, "port {}", port);
            let moves = holders.moves.get(port.as_str()).copied().unwrap_or_default();
            prop_assert_eq!((totals.address_moves, totals.refused_address_moves), moves, "port {}", port);
        }
        prop_assert_eq!(switch.outlet.arena.free_chunk_count(), switch.outlet.arena.chunk_count());
    }
}
