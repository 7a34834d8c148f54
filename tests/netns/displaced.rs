//! Another process detaches the daemon's program from a link. The kernel announces no such event.

use std::fs;
use std::path::PathBuf;

use libbpf_rs::Link;

use super::life::Pair;
use testkit::testbed::{Testbed, on_testbed};
use testkit::wait::until;

/// Paths of the pinned programs.
fn pins(testbed: &Testbed) -> Vec<PathBuf> {
    testbed.files.pins().iter().map(|pin| testbed.files.pin_folder.join(pin)).collect()
}

#[test]
fn detached_programs_are_detected_and_attached_again() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        testbed.wait_until_all_up();
        pair.assert_served(testbed);
        let pins = pins(testbed);
        assert_eq!(pins.len(), 3);
        for pin in &pins {
            // As by `bpftool link detach`.
            Link::open(pin).unwrap().detach().unwrap();
        }
        until("the log to name all three", || {
            let log = testbed.files.log();
            log.matches("was taken off the link by another process").count().ge(&3).then_some(())
        });
        until("the ports to be opened again", || {
            (testbed.files.log().matches("link open").count() == 2 * pins.len()).then_some(())
        });
        testbed.wait_until_all_up();
        testbed.daemon().wait_until_converged();
        pair.assert_served(testbed);
        assert_eq!(testbed.files.pins().len(), pins.len());
        testbed.daemon().assert_frames_conserved();
    });
}

#[test]
fn a_removed_pin_is_created_again() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        testbed.wait_until_all_up();
        let before = pins(testbed);
        fs::remove_file(&before[0]).unwrap();
        until("the pin to be there again", || before[0].exists().then_some(()));
        assert!(testbed.files.log().contains("of its XDP program was removed"), "{}", testbed.files.log());
        testbed.wait_until_all_up();
        pair.assert_served(testbed);
    });
}

#[test]
fn changes_of_ports_and_links_are_in_the_log() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        testbed.wait_until_all_up();
        let (vm, link) = (pair.vm.id(), testbed.dev(&pair.peer).to_owned());
        let expect = |testbed: &Testbed, line: &str| {
            until(line, || testbed.files.log().contains(line).then_some(()));
        };
        expect(testbed, &format!("vlan 100 of {vm}"));
        testbed.set_enabled(&pair.peer, false);
        expect(testbed, "port up -> disabled");
        testbed.secure(&pair.vm, &["10.0.0.1"]);
        expect(testbed, "port security on");
        testbed.host.ip(&format!("link set {link} down"));
        expect(testbed, "link switched off");
    });
}
