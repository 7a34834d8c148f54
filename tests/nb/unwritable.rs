//! A DB file that cannot be written or used: the error has the reason.

use std::process::{Command, Output};

use super::{DbFolder, failed, lport_line, succeeded};

/// Runs `trunkpath nb` with the folder mounted read-only.
fn on_a_read_only_mount(folder: &DbFolder, args: &str) -> Output {
    let script = r#"mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" nb --nb "$3" $4"#;
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(folder.dir.path()).arg(env!("CARGO_BIN_EXE_trunkpath")).arg(folder.url()).arg(args);
    command.output().expect("unshare: run `scripts/setup test`")
}

#[test]
fn a_read_only_mount_is_named() {
    let folder = DbFolder::new();
    succeeded(&folder.apply(&lport_line("p")));
    for args in ["list lport", "delete lport p"] {
        let error = failed(&on_a_read_only_mount(&folder, args));
        assert!(error.contains("the file is on a read-only file system: mount it read-write"), "{error}");
    }
    assert_eq!(folder.list("lport").len(), 1);
}

#[test]
fn a_damaged_file_is_named() {
    let folder = DbFolder::new();
    succeeded(&folder.apply(&lport_line("p")));
    let mut bytes = std::fs::read(folder.file()).unwrap();
    // Keeps the header and overwrites the pages behind the first.
    bytes[4096..].fill(0xaa);
    std::fs::write(folder.file(), bytes).unwrap();
    let error = folder.refused(&["list", "lport"]);
    assert!(error.contains("the file is damaged") && error.contains("backup"), "{error}");
}

#[test]
fn a_value_of_megabytes_is_cut_in_messages() {
    let folder = DbFolder::new();
    let long = "a".repeat(2_000_000);
    let line = format!(
        r#"{{"table": "lport", "record": {{"id": "p", "topic": "t", "lswitch": "n", "macs": ["{long}"]}}}}"#
    );
    let wrong_table = format!(r#"{{"table": "{long}", "record": {{}}}}"#);
    let wrong_form = format!(r#"{{"table": "lport", "record": {{}}, "{long}": 1}}"#);
    let wrong_field = format!(r#"{{"table": "lport", "record": {{"id": "p", "{long}": 1}}}}"#);
    for line in [line, wrong_table, wrong_form, wrong_field] {
        let error = failed(&folder.apply(&line));
        assert!(
            error.len() < 2_000 && error.contains("aaa... (200"),
            "{} bytes: {:.300}",
            error.len(),
            error
        );
    }
}

#[test]
fn an_octet_of_one_digit_is_refused() {
    let folder = DbFolder::new();
    let json = r#"{"id": "p", "topic": "t", "lswitch": "n", "macs": ["fa:16:3e:00:01:7"]}"#;
    let error = folder.refused(&["put", "lport", json]);
    assert!(error.contains("fa:16:3e:00:01:7") && error.contains("two digits an octet"), "{error}");
}
