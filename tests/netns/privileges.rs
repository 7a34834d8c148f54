//! What a running switch may do, who may ask it, and that nobody's names do anything to a terminal.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::life::Pair;
use testkit::lab::{Lab, in_lab};

/// `CAP_NET_ADMIN`, `CAP_NET_RAW`, `CAP_IPC_LOCK`, `CAP_BPF` (`linux/capability.h`).
const NEEDED: u64 = 1 << 12 | 1 << 13 | 1 << 14 | 1 << 39;
/// `CAP_CHOWN`, `CAP_DAC_OVERRIDE`, `CAP_SYS_PTRACE`, `CAP_SYS_ADMIN`.
const OF_ROOT: u64 = 1 << 0 | 1 << 1 | 1 << 19 | 1 << 21;

/// All threads have these capabilities, no others, and hand on none.
fn assert_rights(lab: &Lab, expected: u64) {
    for (key, expected) in
        [("CapPrm:", expected), ("CapEff:", expected), ("CapBnd:", expected), ("CapInh:", 0), ("CapAmb:", 0)]
    {
        let found = lab.daemon().thread_status(key);
        assert!(found.len() > 1, "a control thread, and a worker at least");
        for rights in found {
            assert_eq!(u64::from_str_radix(&rights, 16).unwrap(), expected, "{key} {rights}");
        }
    }
    let final_for_good = lab.daemon().thread_status("NoNewPrivs:");
    assert!(final_for_good.iter().all(|value| value == "1"), "{final_for_good:?}");
}

#[test]
fn surplus_capabilities_are_dropped() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start_as_nobody_with(",+sys_admin,+sys_time,+setpcap");
        assert_rights(lab, NEEDED);
        pair.assert_served(lab);
    });
}

#[test]
fn root_keeps_what_it_takes_to_see_who_holds_a_device() {
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.start();
        assert_rights(lab, NEEDED | OF_ROOT);
        pair.assert_served(lab);
        // A device that comes later is taken with that.
        let dev = lab.dev(&pair.vm).to_owned();
        lab.host.ip(&format!("link delete dev {dev}"));
        lab.plug(&pair.vm);
        lab.wait_until_all_up();
        pair.assert_served(lab);
    });
}

#[test]
fn only_the_daemons_user_may_use_its_files() {
    in_lab(|lab| {
        let _pair = Pair::new(lab);
        lab.start();
        for file in ["api.sock", "nb.db"] {
            let mode = fs::metadata(lab.files.path(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    });
}

#[test]
fn names_do_nothing_to_a_terminal() {
    const EVIL: &str = "x\u{1b}[2J\nFORGED \u{9b}31m\u{202e}";
    // Ids have no blanks and no control characters.
    const EVIL_ID: &str = "x\u{202e}FORGED";
    in_lab(|lab| {
        let pair = Pair::new(lab);
        lab.write_records();
        let record = lab.files.nb(&["get", "lport", &pair.vm.id()], "");
        let mut record: Value = serde_json::from_str(&record).unwrap();
        record["name"] = EVIL.into();
        lab.files.nb(&["put", "lport", &record.to_string()], "");
        // One without a device, which is a problem that names it.
        record["id"] = EVIL_ID.into();
        record["unique_key"] = 77.into();
        record["macs"] = ["02:00:00:00:00:77"].as_slice().into();
        lab.files.nb(&["put", "lport", &record.to_string()], "");
        lab.relaunch();
        lab.wait_until_all_up();
        lab.daemon().wait_for_problem("no device");

        let mut screens = vec![lab.files.log()];
        let nb: [&[&str]; 4] =
            [&["list", "lport"], &["list", "lport", "--json"], &["get", "lport", EVIL_ID], &["dump"]];
        screens.extend(nb.map(|words| lab.files.nb(words, "")));
        for what in ["ports", "subports", "networks", "workers", "problems", "nb", "drift"] {
            screens.push(lab.files.ask(&["show", what]));
            screens.push(lab.files.ask(&["show", what, "--json"]));
        }
        screens.push(lab.files.ask(&["stats"]));
        screens.push(lab.files.ask(&["stats", "--json"]));
        for screen in &screens {
            let acts = |found: char| found.is_control() && found != '\n' || found == '\u{202e}';
            assert!(!screen.chars().any(acts), "{screen:?}");
            assert!(!screen.lines().any(|line| line.starts_with("FORGED")), "{screen}");
        }
        let named = screens.iter().filter(|screen| screen.contains("FORGED")).count();
        assert!(named >= 8, "the names are in {named} of them");
    });
}
