//! A host without a bpffs: the missing part is reported, and all functions without pins work.

use super::life::Pair;
use testkit::command::output;
use testkit::daemon::Daemon;
use testkit::testbed::on_testbed;

#[test]
fn unavailable_default_is_no_problem() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.write_records();
        // `ip netns exec` hides the host's bpffs, and a new one ends with the daemon.
        testbed.adopt(Daemon::start_in_default_folder(&testbed.host, &testbed.files, &[]));
        pair.assert_served(testbed);
        assert_eq!(testbed.daemon().show("problems").unwrap().to_string(), "[]");
        let log = testbed.files.log();
        assert!(log.contains("mount namespace that ends with this process"), "{log}");
        let mut check = testbed.host.command(env!("CARGO_BIN_EXE_trunkpath"));
        let printed = String::from_utf8(output(check.arg("check"), "").stdout).unwrap();
        assert!(printed.contains("a mount namespace of its own"), "{printed}");

        // It is a problem if pins were configured.
        testbed.take_daemon().stop();
        let port = ["--port".to_owned(), "*:no_socket=drop".to_owned()];
        testbed.adopt(Daemon::start_in_default_folder(&testbed.host, &testbed.files, &port));
        testbed.daemon().wait_for_problem("mount namespace that ends with this process");
    });
}
