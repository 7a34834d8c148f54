//! A host that lacks something: what is missing is named, and what needs none of it works.

use super::life::Pair;
use testkit::command::output;
use testkit::daemon::Daemon;
use testkit::lab::in_lab;

#[test]
fn default_that_cannot_be_had_is_no_problem() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.write_records();
        // `ip netns exec` hides the host's bpffs, and a new one ends with the daemon.
        lab.adopt(Daemon::start_in_default_folder(&lab.host, &lab.files, &[]));
        pair.assert_served(lab);
        assert_eq!(lab.daemon().show("problems").unwrap().to_string(), "[]");
        let log = lab.files.log();
        assert!(log.contains("mount namespace that ends with this process"), "{log}");
        let mut check = lab.host.command(env!("CARGO_BIN_EXE_trunkpath"));
        let printed = String::from_utf8(output(check.arg("check"), "").stdout).unwrap();
        assert!(printed.contains("a mount namespace of its own"), "{printed}");

        // The same is one for who asks for pins.
        lab.take_daemon().stop();
        let port = ["--port".to_owned(), "*:no_socket=drop".to_owned()];
        lab.adopt(Daemon::start_in_default_folder(&lab.host, &lab.files, &port));
        lab.daemon().wait_for_problem("mount namespace that ends with this process");
    });
}
