//! `trunkpath nb` on redis, with the same commands as on a file.

use std::process::Output;

use super::server::nb;
use super::*;

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn dragonflows_records_are_taken_and_come_back_the_same() {
    let server = Server::start();
    let file = server.folder().join("records");
    std::fs::write(&file, fixture()).unwrap();
    let file = file.to_str().unwrap();
    assert!(printed(&server.nb(&["apply", file])).starts_with("20 lines applied: 18 created, revision "));
    let dump = printed(&server.nb(&["dump"]));
    assert_eq!(by_id(&dump), by_id(&fixture()));

    // The same from an embedded DB.
    let folder = tempfile::tempdir().unwrap();
    let sqlite = format!("sqlite:{}", folder.path().join("nb.db").display());
    printed(&nb(&sqlite, &["apply", file]));
    assert_eq!(printed(&nb(&sqlite, &["dump"])), dump);
    // Unchanged records are not written.
    let stored: u32 = server.does(&["GET", "/trunkpath/writer"]);
    let dumped = server.folder().join("dump");
    std::fs::write(&dumped, &dump).unwrap();
    printed(&server.nb(&["apply", dumped.to_str().unwrap()]));
    assert_eq!(server.does::<u32>(&["GET", "/trunkpath/writer"]), stored);
}

#[test]
fn each_command_works_and_names_mistakes() {
    let server = Server::start();
    assert_eq!(printed(&server.nb(&["init"])), format!("{} is ready\n", server.url()));
    for id in ["a", "b"] {
        let json = json!({"id": id, "topic": "t", "lswitch": "n"}).to_string();
        printed(&server.nb(&["put", "lport", &json]));
    }
    printed(&server.nb(&["add-subport", "a", "b", "100"]));
    assert!(
        refused(&server.nb(&["add-subport", "a", "b", "101"]))
            .contains("b is a subport of a already, VLAN 100")
    );
    assert!(
        refused(&server.nb(&["delete", "lport", "b"])).contains("is the port of child_port_segmentation")
    );
    let port: Value = serde_json::from_str(&printed(&server.nb(&["get", "lport", "b"]))).unwrap();
    assert_eq!((&port["unique_key"], &port["version"]), (&json!(2), &json!(1)));
    assert_eq!(printed(&server.nb(&["list", "lport"])).lines().count(), 3);
    printed(&server.nb(&["del-subport", "a", "b"]));
    printed(&server.nb(&["delete", "lport", "b"]));
    assert!(refused(&server.nb(&["get", "lport", "b"])).contains("no lport b"));

    // All lines are applied or none, and the error has the line.
    let file = server.folder().join("bad");
    let line = |id: &str, key: u32| {
        format!(
            "{}\n",
            json!({"table": "lport", "record": {"id": id, "topic": "t", "lswitch": "n", "unique_key": key}})
        )
    };
    std::fs::write(&file, [line("c", 8), line("d", 8)].concat()).unwrap();
    let refusal = refused(&server.nb(&["apply", file.to_str().unwrap()]));
    assert!(
        refusal.contains("line 1: ") && refusal.contains("unique_key 8 belongs to d already"),
        "{refusal}"
    );
    assert_eq!(printed(&server.nb(&["dump"])).lines().count(), 1);

    let refusal = refused(&nb("redis://u:secret@127.0.0.1:1", &["init"]));
    assert!(refusal.contains("redis://u:***@127.0.0.1:1") && !refusal.contains("secret"), "{refusal}");
}
