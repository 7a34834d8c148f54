//! The whole datapath compared with the naive model: the same frames leave by the same links, the same drops
//! are counted, and every chunk returns to the arena.
#![no_main]

use std::cell::RefCell;
use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use trunkpath::tables::LinkSlot;
use trunkpath::types::DropReason;

use testkit::model::{self, Holders};
use testkit::scenario::Scenario;
use testkit::switch::Switch;

type Drops = BTreeMap<(Option<String>, DropReason), u64>;

thread_local! {
    static STATE: RefCell<(Scenario, Switch, Drops)> = RefCell::new({
        let scenario = scenario();
        let switch = Switch::new(&scenario);
        (scenario, switch, Drops::new())
    });
}

/// Two guests with subports, one of which has subports itself; a tag whose subport is missing, and a port
/// that takes no unknown tags.
fn scenario() -> Scenario {
    let mac = |last| [2, 0, 0, 0, 0, last];
    Scenario::vm_and_peers()
        .port("deep", 3, "a", mac(3))
        .port("app", 4, "b", mac(4))
        .segmentation("s2", "web", 200, "deep")
        .segmentation("s3", "vm", 300, "missing")
        .segmentation("s4", "peer-a", 100, "app")
        .strict("peer-a")
}

fuzz_target!(|input: (u8, &[u8])| {
    let (link, frame) = input;
    STATE.with_borrow_mut(|(scenario, switch, drops)| {
        let link = usize::from(link) % scenario.links.len();
        if frame.len() > 1500 {
            return;
        }
        let expected = model::forward(scenario, &mut Holders::default(), link, frame);
        assert_eq!(switch.send_on(LinkSlot(link as u16), frame), expected.sent);
        for dropped in expected.dropped {
            *drops.entry(dropped).or_default() += 1;
        }
        assert_eq!(switch.drops(), *drops);
        assert_eq!(switch.outlet.arena.free_chunk_count(), switch.outlet.arena.chunk_count());
    });
});
