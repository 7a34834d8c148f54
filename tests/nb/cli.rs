//! Each command of `trunkpath nb`, and each mistake.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{DbFolder, failed, line, lport_line, succeeded};
use testkit::fixture::{by_id, fixture};
use trunkpath::nb::segmentation_id;

const PARENT: &str = "c0a80101-1111-4aaa-8bbb-000000000166";
const CHILD: &str = "c0a80101-1111-4aaa-8bbb-000000000168";
const OTHER: &str = "c0a80101-1111-4aaa-8bbb-000000000170";

#[test]
fn dragonflows_records_are_taken_and_come_back_the_same() {
    let folder = DbFolder::new();
    assert_eq!(succeeded(&folder.apply(&fixture())), "20 lines applied: 18 created, revision 20\n");
    let dump = folder.nb(&["dump"]);
    assert_eq!(by_id(&dump), by_id(&fixture()));

    let copy = DbFolder::new();
    succeeded(&copy.apply(&dump));
    assert_eq!(copy.nb(&["dump"]), dump);
    // Applying unchanged records changes nothing.
    assert_eq!(succeeded(&copy.apply(&dump)), "18 lines applied: 18 unchanged, revision 18\n");
}

#[test]
fn a_record_is_put_shown_and_deleted() {
    let folder = DbFolder::new();
    assert!(folder.nb(&["init"]).contains("is ready"));
    let network = ["put", "lswitch", r#"{"id": "n", "topic": "t", "name": "blue"}"#];
    assert_eq!(folder.nb(&network), "lswitch n created, revision 1\n");
    assert_eq!(folder.nb(&network), "lswitch n unchanged, revision 1\n");
    let network = ["put", "lswitch", r#"{"id": "n", "topic": "t", "name": "blue", "mtu": 1400}"#];
    assert_eq!(folder.nb(&network), "lswitch n updated, revision 2\n");
    folder.nb(&[
        "put",
        "lport",
        r#"{"id": "p", "topic": "t", "lswitch": "n", "macs": ["FA:16:3E:00:00:01"]}"#,
    ]);
    let port: Value = serde_json::from_str(&folder.nb(&["get", "lport", "p"])).unwrap();
    let expected = json!({"id": "p", "topic": "t", "lswitch": "n", "macs": ["fa:16:3e:00:00:01"], "ips": [],
        "subnets": [], "security_groups": [], "allowed_address_pairs": [], "unique_key": 1, "version": 1});
    assert_eq!(port, expected);
    assert_eq!(folder.list("lport"), [expected]);
    let table = folder.nb(&["list", "lswitch"]);
    let row: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["n", "1", "blue", "-", "-", "1400"]);
    assert_eq!(folder.nb(&["delete", "lport", "p"]), "lport p deleted, revision 4\n");
    assert!(folder.list("lport").is_empty());
    assert!(folder.refused(&["get", "lport", "p"]).contains("no lport p"));
    assert!(folder.refused(&["delete", "lport", "p"]).contains("lport p: does not exist"));
}

#[test]
fn subports_are_added_and_removed() {
    let folder = DbFolder::new();
    succeeded(&folder.apply(&["a", "b"].map(lport_line).concat()));
    let id = segmentation_id("a", "b");
    let added = format!("b is a subport of a, VLAN 100: child_port_segmentation {id} created, revision 3\n");
    assert_eq!(folder.nb(&["add-subport", "a", "b", "100"]), added);
    let segmentation = &folder.list("child_port_segmentation")[0];
    assert_eq!(segmentation["segmentation_id"], 100);
    assert_eq!(segmentation["topic"], "t");
    let present =
        "b is a subport of a already, VLAN 100: to change the VLAN, run `trunkpath nb del-subport a b` first";
    assert!(folder.refused(&["add-subport", "a", "b", "101"]).contains(present));
    let refusal = folder.refused(&["delete", "lport", "b"]);
    let used =
        format!("is the port of child_port_segmentation {id}: run `trunkpath nb del-subport a b` first");
    assert!(refusal.contains(&used), "{refusal}");
    let removed =
        format!("b is no subport of a any more: child_port_segmentation {id} deleted, revision 4\n");
    assert_eq!(folder.nb(&["del-subport", "a", "b"]), removed);
    assert!(folder.list("child_port_segmentation").is_empty());
    assert!(folder.refused(&["del-subport", "a", "b"]).contains("b is no subport of a"));
}

#[test]
fn a_name_in_place_of_an_id_is_answered_with_the_id() {
    let folder = DbFolder::new();
    let named =
        |id: &str, name: &str| line("lport", &json!({"id": id, "topic": "t", "lswitch": "n", "name": name}));
    succeeded(&folder.apply(
        &[named("p1", "vm"), named("p2", "vm-vlan100"), named("p3", "two"), named("p4", "two")].concat(),
    ));
    folder.nb(&["add-subport", "p1", "p2", "100"]);
    let cases: [(&[&str], &str); 7] = [
        (&["get", "lport", "vm"], "no lport vm, but that is the name of lport p1"),
        (&["get", "lport", "two"], "no lport two, but that is the name of lport p3, p4"),
        (&["delete", "lport", "vm"], "lport vm does not exist, but that is the name of lport p1"),
        (&["add-subport", "vm", "p3", "7"], "parent vm does not exist, but that is the name of lport p1"),
        (&["add-subport", "p1", "two", "7"], "port two does not exist, but that is the name of lport p3, p4"),
        (&["del-subport", "vm", "p2"], "p2 is no subport of vm, but vm is the name of lport p1"),
        (
            &["add-subport", "p1", "p3", "100"],
            "vlan 100 of parent p1 belongs to subport p2 (vm-vlan100) already: choose another, or run \
             `trunkpath nb del-subport p1 p2`",
        ),
    ];
    for (args, expected) in cases {
        let refusal = folder.refused(args);
        assert!(refusal.contains(expected), "{refusal}");
    }
}

#[test]
fn a_bad_subport_is_refused() {
    let folder = DbFolder::new();
    succeeded(&folder.apply(&fixture()));
    folder.nb(&["add-subport", PARENT, OTHER, "200"]);
    succeeded(&folder.apply(&["x", "y"].map(lport_line).concat()));
    folder.nb(&["add-subport", PARENT, "x", "100"]);
    let before = folder.nb(&["dump"]);
    let cases: [(&[&str], &str); 8] = [
        (&[PARENT, "y", "0"], "0 is not a VLAN id: expected 1 to 4094"),
        (&[PARENT, "y", "4095"], "4095 is not a VLAN id: expected 1 to 4094"),
        (&[PARENT, "nowhere", "7"], "port nowhere does not exist"),
        (&["nowhere", "y", "7"], "parent nowhere does not exist"),
        (&["y", "y", "7"], "port y would be its own parent"),
        (&[OTHER, PARENT, "7"], "is itself a subport below"),
        (&[PARENT, "y", "200"], "vlan 200 of parent c0a80101-1111-4aaa-8bbb-000000000166 belongs to"),
        (&["y", CHILD, "7"], "is a subport of c0a80101-1111-4aaa-8bbb-000000000166 already"),
    ];
    for (args, expected) in cases {
        let refusal = folder.refused(&[&["add-subport"], args].concat());
        assert!(refusal.contains(expected), "{refusal}");
    }
    assert_eq!(folder.nb(&["dump"]), before);
}

#[test]
fn apply_does_all_or_nothing_and_names_the_line() {
    let folder = DbFolder::new();
    succeeded(&folder.apply(&lport_line("kept")));
    let before = folder.nb(&["dump"]);
    let segmentation = |port: &str| {
        let json = json!({"parent": "kept", "port": port, "topic": "t", "segmentation_type": "vlan",
            "segmentation_id": 5});
        line("child_port_segmentation", &json)
    };
    let keyed = line("lport", &json!({"id": "q", "topic": "t", "lswitch": "n", "unique_key": 1}));
    let cases = [
        ("{\"table\": \"lport\", \n".to_owned(), "EOF"),
        ("lport\n".to_owned(), "expected value at line 1 column 1"),
        ("{\"table\": \"lport\", \"rekord\": {}}\n".to_owned(), "unknown field `rekord`"),
        (line("lports", &json!({})), "unknown table \"lports\": did you mean \"lport\"?"),
        (line("lport", &json!(5)), "5 is not a JSON object"),
        (line("lport", &json!({"id": "q", "topic": "t"})), "lport q: field lswitch is missing"),
        (keyed, "lport q: unique_key 1 belongs to kept already"),
        (segmentation("nowhere"), "port nowhere does not exist"),
    ];
    for (bad, expected) in cases {
        // An empty line counts as a line, and valid lines around an invalid one are not written.
        let refusal = failed(&folder.apply(&format!("{}\n{bad}{}", lport_line("r"), lport_line("s"))));
        assert!(refusal.contains("line 3: ") && refusal.contains(expected), "{refusal}");
        assert_eq!(folder.nb(&["dump"]), before);
    }
    let two = [lport_line("q"), lport_line("r"), segmentation("q"), segmentation("r")].concat();
    let refusal = failed(&folder.apply(&two));
    assert!(
        refusal.contains("line 3: ") && refusal.contains("vlan 5 of parent kept belongs to"),
        "{refusal}"
    );
    let missing = folder.refused(&["apply", "/no/such/file"]);
    assert!(missing.contains("/no/such/file: No such file"), "{missing}");
}

#[test]
fn put_refuses_what_is_no_record() {
    let folder = DbFolder::new();
    assert!(folder.refused(&["put", "lport", "{"]).contains("\"{\" is not JSON"));
    assert!(folder.refused(&["put", "lport", "[]"]).contains("lport: [] is not a JSON object"));
    assert!(
        folder.refused(&["put", "lprt", "{}"]).contains("unknown table \"lprt\": did you mean \"lport\"?")
    );
}

#[test]
fn the_file_is_the_owners_and_a_wrong_one_is_refused() {
    let folder = DbFolder::new();
    for args in
        [&["dump"][..], &["list", "lport"], &["delete", "lport", "p"], &["add-subport", "a", "b", "1"]]
    {
        assert!(folder.refused(args).contains("make one with `trunkpath nb --nb sqlite:"));
    }
    folder.nb(&["init"]);
    folder.nb(&["init"]);
    assert_eq!(std::fs::metadata(folder.file()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.dir.path()).unwrap().count(), 1, "nothing but the DB is left");

    std::fs::write(folder.file(), "something else, and long enough for SQLite to have a look at it").unwrap();
    assert!(folder.refused(&["init"]).contains("it is no SQLite database"));
    std::fs::remove_file(folder.file()).unwrap();
    rusqlite::Connection::open(folder.file()).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    assert!(folder.refused(&["dump"]).contains("is not a northbound DB of this program"));

    std::fs::remove_file(folder.file()).unwrap();
    std::fs::write(folder.file().with_extension("db-wal"), "left over").unwrap();
    assert!(folder.refused(&["init"]).contains("remove it too"));

    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_trunkpath"));
    let refusal = failed(&command.args(["nb", "--nb", "mysql://h", "init"]).output().unwrap());
    assert!(refusal.contains("\"mysql://h\" is no northbound DB: expected sqlite:PATH"), "{refusal}");
}
