//! Random rules, changes of groups and members, and packets: the switch does what the model does.

use proptest::prelude::*;
use serde_json::json;
use testkit::security_groups::Run;
use testkit::security_groups::steps::{Step, segment, step};
use trunkpath::xsk::Arena;

/// Chunks of a switch. A frame is copied to two ports at most.
const CHUNKS: usize = 64;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn with_the_model_in_every_state_of_a_tcp_connection(
        egress in any::<bool>(),
        steps in prop::collection::vec(segment(), 60),
    ) {
        let mut run = Run::new(Arena::heap(CHUNKS).unwrap());
        let direction = if egress { "egress" } else { "ingress" };
        let rule = json!({"id": "r", "direction": direction, "ethertype": "IPv4", "protocol": 6});
        run.take(&Step::Rules("g1", Some(vec![rule])))?;
        run.take_all(&steps)?;
    }

    #[test]
    fn with_the_model_after_any_changes_of_rules_and_members(steps in prop::collection::vec(step(), 100)) {
        Run::new(Arena::heap(CHUNKS).unwrap()).take_all(&steps)?;
    }
}
