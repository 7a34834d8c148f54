//! Isolation while rules change: of datagrams on many flows, only those pass that a rule of that moment or of
//! the one before allows.

mod changes;
mod traffic;

use std::process::Command;

use serde_json::{Value, json};
use testkit::command::succeed;
use testkit::testbed::on_testbed;

use super::transport::address;
use changes::Changes;
use traffic::{Machine, Traffic};

const CHANGES: usize = 1000;

/// Two guests, and a subport of a third one; a packet may be judged by two workers. `TRUNKPATH_SEED` repeats the
/// changes.
#[test]
fn no_datagram_passes_by_rules_that_are_gone_in_a_thousand_changes_under_traffic() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.network(), testbed.network());
        let (a, b, vm) = (testbed.guest("a", one), testbed.guest("b", one), testbed.guest("vm", two));
        let subport = testbed.subport(&vm, 100, one);
        let _peer = testbed.guest("peer", two);
        testbed.arguments = ["--workers", "0,1"].map(str::to_owned).to_vec();
        testbed.start();
        let vlan = testbed.vlan_interface(&subport, 0);
        let ports = [(&a, "eth0"), (&b, "eth0"), (&subport, &*vlan)];
        let mut host = 0;
        let machines = ports.map(|(port, dev)| {
            host += 1;
            Machine::new(testbed.netns(port), port.id(), address(testbed, port, dev, host))
        });
        let mut changes = Changes::begin(&testbed.files, &machines);
        let traffic = Traffic::start(&machines);
        changes.make(CHANGES);
        let (received, missing) = traffic.stop();

        let given = json!({"changes": changes.made, "flows": traffic::flows(&machines), "received": received,
            "missing": missing});
        let judge = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/netns/isolation/judge.py");
        let judged = succeed(Command::new("python3").args(["-B", judge]), &given.to_string());
        let judged: Value = serde_json::from_str(&judged).unwrap();
        println!("{judged}");
        assert_eq!(judged["unexplained"], json!([]), "passed without a rule");
        let count = |name: &str| judged[name].as_u64().unwrap();
        let (passed, dropped) = (count("passed"), count("dropped"));
        assert!(passed > 100 && dropped > 100, "{passed} passed, {dropped} were dropped");
        assert_eq!(judged["lost"], json!([]), "dropped though rules allowed it");
    });
}
