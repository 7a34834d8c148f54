//! Privileges of a running daemon, access to its API, and names with control characters.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::life::Pair;
use testkit::testbed::{Testbed, on_testbed};

/// `CAP_NET_ADMIN`, `CAP_NET_RAW`, `CAP_IPC_LOCK`, `CAP_BPF` (`linux/capability.h`).
const NEEDED: u64 = 1 << 12 | 1 << 13 | 1 << 14 | 1 << 39;
/// `CAP_CHOWN`, `CAP_DAC_OVERRIDE`, `CAP_SYS_PTRACE`, `CAP_SYS_ADMIN`.
const OF_ROOT: u64 = 1 << 0 | 1 << 1 | 1 << 19 | 1 << 21;

/// Asserts that all threads have exactly these capabilities, and pass on none.
fn assert_rights(testbed: &Testbed, expected: u64) {
    for (key, expected) in
        [("CapPrm:", expected), ("CapEff:", expected), ("CapBnd:", expected), ("CapInh:", 0), ("CapAmb:", 0)]
    {
        let found = testbed.daemon().thread_status(key);
        assert!(found.len() > 1, "a control thread, and a worker at least");
        for rights in found {
            assert_eq!(u64::from_str_radix(&rights, 16).unwrap(), expected, "{key} {rights}");
        }
    }
    let final_for_good = testbed.daemon().thread_status("NoNewPrivs:");
    assert!(final_for_good.iter().all(|value| value == "1"), "{final_for_good:?}");
}

#[test]
fn surplus_capabilities_are_dropped() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start_as_nobody_with(",+sys_admin,+sys_time,+setpcap");
        assert_rights(testbed, NEEDED);
        pair.assert_served(testbed);
    });
}

#[test]
fn root_keeps_the_capabilities_to_determine_the_holder_of_a_link() {
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.start();
        assert_rights(testbed, NEEDED | OF_ROOT);
        pair.assert_served(testbed);
        // A link that appears later is opened with them.
        let dev = testbed.dev(&pair.vm).to_owned();
        testbed.host.ip(&format!("link delete dev {dev}"));
        testbed.plug(&pair.vm);
        testbed.wait_until_all_up();
        pair.assert_served(testbed);
    });
}

#[test]
fn only_the_daemons_user_may_use_its_files() {
    on_testbed(|testbed| {
        let _pair = Pair::new(testbed);
        testbed.start();
        for file in ["api.sock", "nb.db"] {
            let mode = fs::metadata(testbed.files.path(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    });
}

#[test]
fn names_cannot_control_a_terminal() {
    const EVIL: &str = "x\u{1b}[2J\nFORGED \u{9b}31m\u{202e}";
    // Ids have no blanks or control characters.
    const EVIL_ID: &str = "x\u{202e}FORGED";
    on_testbed(|testbed| {
        let pair = Pair::new(testbed);
        testbed.write_records();
        let record = testbed.files.nb(&["get", "lport", &pair.vm.id()], "");
        let mut record: Value = serde_json::from_str(&record).unwrap();
        record["name"] = EVIL.into();
        testbed.files.nb(&["put", "lport", &record.to_string()], "");
        // A port without a link, which is a problem that names it.
        record["id"] = EVIL_ID.into();
        record["unique_key"] = 77.into();
        record["macs"] = ["02:00:00:00:00:77"].as_slice().into();
        testbed.files.nb(&["put", "lport", &record.to_string()], "");
        testbed.relaunch();
        testbed.wait_until_all_up();
        testbed.daemon().wait_for_problem("no link");

        let mut screens = vec![testbed.files.log()];
        let nb: [&[&str]; 4] =
            [&["list", "lport"], &["list", "lport", "--json"], &["get", "lport", EVIL_ID], &["dump"]];
        screens.extend(nb.map(|words| testbed.files.nb(words, "")));
        for what in ["ports", "subports", "networks", "workers", "problems", "nb", "drift"] {
            screens.push(testbed.files.ask(&["show", what]));
            screens.push(testbed.files.ask(&["show", what, "--json"]));
        }
        screens.push(testbed.files.ask(&["stats"]));
        screens.push(testbed.files.ask(&["stats", "--json"]));
        for screen in &screens {
            let acts = |found: char| found.is_control() && found != '\n' || found == '\u{202e}';
            assert!(!screen.chars().any(acts), "{screen:?}");
            assert!(!screen.lines().any(|line| line.starts_with("FORGED")), "{screen}");
        }
        let named = screens.iter().filter(|screen| screen.contains("FORGED")).count();
        assert!(named >= 8, "the names are in {named} of them");
    });
}
