//! Another process takes away what the daemon has put on a link. Nothing announces that.

use std::fs;
use std::path::PathBuf;

use libbpf_rs::Link;

use super::life::Pair;
use testkit::lab::{Lab, in_lab};
use testkit::wait::until;

/// The pins of the daemon's programs.
fn pins(lab: &Lab) -> Vec<PathBuf> {
    lab.files.pins().iter().map(|pin| lab.files.pin_folder.join(pin)).collect()
}

#[test]
fn programs_that_are_detached_are_noticed_and_attached_again() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start();
        lab.wait_until_all_up();
        pair.assert_served(lab);
        let pins = pins(lab);
        assert_eq!(pins.len(), 3);
        for pin in &pins {
            // As `bpftool link detach` does.
            Link::open(pin).unwrap().detach().unwrap();
        }
        until("the log to name all three", || {
            let log = lab.files.log();
            log.matches("was taken off the link by another process").count().ge(&3).then_some(())
        });
        until("the ports to be opened again", || {
            (lab.files.log().matches("port open").count() == 2 * pins.len()).then_some(())
        });
        lab.wait_until_all_up();
        lab.daemon().wait_until_converged();
        pair.assert_served(lab);
        assert_eq!(lab.files.pins().len(), pins.len());
        lab.daemon().assert_frames_conserved();
    });
}

#[test]
fn a_pin_that_is_removed_is_made_again() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start();
        lab.wait_until_all_up();
        let before = pins(lab);
        fs::remove_file(&before[0]).unwrap();
        until("the pin to be there again", || before[0].exists().then_some(()));
        assert!(lab.files.log().contains("of its XDP program was removed"), "{}", lab.files.log());
        lab.wait_until_all_up();
        pair.assert_served(lab);
    });
}

#[test]
fn what_happens_to_ports_and_links_is_in_the_log() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start();
        lab.wait_until_all_up();
        let (vm, device) = (pair.vm.id(), lab.dev(&pair.peer).to_owned());
        let expect = |lab: &Lab, line: &str| {
            until(line, || lab.files.log().contains(line).then_some(()));
        };
        expect(lab, &format!("vlan 100 of {vm}"));
        lab.set_enabled(&pair.peer, false);
        expect(lab, "port up -> disabled");
        lab.secure(&pair.vm, &["10.0.0.1"]);
        expect(lab, "port security on");
        lab.host.ip(&format!("link set {device} down"));
        expect(lab, "link switched off");
    });
}
