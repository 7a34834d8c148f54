use std::path::Path;

use super::*;
use crate::config::file;
use crate::tables::Timeouts;

fn toml(text: &str) -> Result<Settings, ConfigErrors> {
    file::parse(text, Path::new("trunkpath.toml"))
}

fn message(text: &str) -> String {
    toml(text).and_then(Settings::check).unwrap_err().to_string()
}

#[test]
fn empty_settings_give_the_defaults() {
    let config = Settings::default().check().unwrap();
    assert_eq!(config.nb, DEFAULT_URL);
    assert_eq!(config.api, Path::new(DEFAULT_API));
    assert_eq!((config.umem_mib, config.workers.len()), (256, 1));
    assert_eq!(config.pin_folder, Path::new(DEFAULT_PIN_FOLDER));
    assert_eq!(config.on_worker_panic, OnWorkerPanic::Restart);
    assert!(!config.chassis.is_empty());
    assert_eq!(
        config.port("any"),
        PortOptions { no_socket: NoSocketPolicy::Drop, allow_generic: false, complete_checksums: true }
    );
}

#[test]
fn every_known_key_is_parsed() {
    let config = toml(
        r#"
        nb = "sqlite:/tmp/nb.db"
        chassis = "compute1"
        workers = "0"
        api = "/tmp/api.sock"
        pin_folder = "/run/tp"
        on_worker_panic = "exit"
        umem_mib = 8
        idle = "busy"
        [attach]
        lport-1 = "veth0"
        [port."*"]
        no_socket = "pass"
        [port.lport-1]
        allow_generic = true
        complete_checksums = false
        "#,
    )
    .unwrap()
    .check()
    .unwrap();
    assert_eq!((config.nb.as_str(), config.chassis.as_str()), ("sqlite:/tmp/nb.db", "compute1"));
    assert_eq!((config.workers.as_slice(), config.umem_mib), ([0].as_slice(), 8));
    assert_eq!(config.idle, IdleMode::Busy);
    assert_eq!(
        (config.pin_folder.as_path(), config.on_worker_panic),
        (Path::new("/run/tp"), OnWorkerPanic::Exit)
    );
    assert_eq!(config.attach["lport-1"], "veth0");
    let inherited = PortOptions { no_socket: NoSocketPolicy::Pass, ..PortOptions::default() };
    assert_eq!(config.port("other"), inherited);
    assert_eq!(
        config.port("lport-1"),
        PortOptions { allow_generic: true, complete_checksums: false, ..inherited }
    );
}

#[test]
fn the_key_lists_are_the_fields() {
    for (key, value) in [
        ("nb", "''"),
        ("chassis", "''"),
        ("workers", "''"),
        ("api", "''"),
        ("pin_folder", "'/sys/fs/bpf/tp'"),
        ("on_worker_panic", "'exit'"),
        ("umem_mib", "1"),
        ("idle", "'busy'"),
        ("flood_rate", "0"),
        ("tunnel_df", "true"),
    ] {
        assert!(KEYS.contains(&key) && toml(&format!("{key} = {value}")).is_ok(), "{key}");
    }
    assert!(toml("[attach]\n[uplinks]\n[port]\n[network]").is_ok());
    for (key, value) in [
        ("no_socket", "pass"),
        ("allow_generic", "true"),
        ("complete_checksums", "true"),
        ("unknown_tags", "drop"),
    ] {
        assert!(PORT_KEYS.contains(&key) && PortSettings::from_pair(key, value).is_ok(), "{key}");
    }
}

#[test]
fn the_error_for_an_unknown_key_has_the_nearest_known_one() {
    for (text, nearest) in [
        ("worker = '1'", "\"workers\""),
        ("atach = {}", "\"attach\""),
        ("[port.x]\nallow_generc = true", "\"allow_generic\""),
        ("[port.'*']\nnosocket = 'pass'", "\"no_socket\""),
        ("[network.x]\nunknown_tag = 'drop'", "\"unknown_tags\""),
    ] {
        let message = message(text);
        assert!(message.contains(&format!("did you mean {nearest}?")), "{message}");
    }
    let flag = PortSettings::from_pair("checksums", "true").unwrap_err().to_string();
    assert!(flag.contains("complete_checksums"), "{flag}");
}

#[test]
fn all_errors_of_a_file_are_reported_in_their_order() {
    let errors =
        toml("chasis = 'a'\nflood_rate = -1\n[port.vm]\nno_socket = 'x'\nzzzzzzzzz = 1").unwrap_err();
    let errors: Vec<_> = errors.0.iter().map(ToString::to_string).collect();
    assert!(errors[0].starts_with("trunkpath.toml:1:1: unknown key \"chasis\", did you mean \"chassis\"?"));
    assert_eq!(errors[1], "trunkpath.toml:2:14: flood_rate = -1: expected 0 to 4294967295");
    assert!(errors[2].starts_with("trunkpath.toml:4:13: no_socket = 'x': expected "), "{errors:?}");
    assert!(errors[3].starts_with("trunkpath.toml:5:1: unknown key \"zzzzzzzzz\" (known: no_socket, "));
    assert_eq!(errors.len(), 4);
}

#[test]
fn a_bad_value_is_named_with_what_was_expected() {
    for (text, parts) in [
        ("workers = '9999'", ["9999", "allowed"]),
        ("umem_mib = 0", ["0", "1 to 65536"]),
        ("umem_mib = 'x'", ["trunkpath.toml", "umem_mib"]),
        ("idle = 'lazy'", ["lazy", "`adaptive` or `busy`"]),
        ("on_worker_panic = 'shrug'", ["shrug", "`restart` or `exit`"]),
        ("nb = ' '", ["nb", "empty"]),
        ("attach = { p = 'a-name-too-long-by-far' }", ["a-name-too-long-by-far", "15"]),
        ("attach = { p = 'a/b' }", ["a/b", "link name"]),
        ("attach = { p = 'veth0', q = 'veth0' }", ["veth0", "lport p and to lport q"]),
        ("uplinks = { p = '' }", ["uplinks: \"p\" = \"\"", "1 to 15 bytes"]),
        (
            "uplinks = { p = 'eth1' }\nattach = { x = 'eth1' }",
            ["eth1", "physical network p and attached to lport x"],
        ),
        ("port.x.no_socket = 'forward'", ["forward", "pass"]),
        ("port.x = 1", ["trunkpath.toml", "port"]),
        ("network.x.unknown_tags = 'maybe'", ["maybe", "`pass` or `drop`"]),
        ("flood_rate = -1", ["trunkpath.toml:1:14: flood_rate = -1: ", "expected 0 to 4294967295"]),
        ("idle = 'busy'\n  umem_mib = [", ["trunkpath.toml:2:", "umem_mib = ["]),
    ] {
        let message = message(text);
        assert!(parts.iter().all(|part| message.contains(part)), "{text}: {message}");
    }
    let flag = PortSettings::from_pair("allow_generic", "yes").unwrap_err().to_string();
    assert!(flag.contains("yes") && flag.contains("true or false"), "{flag}");
}

#[test]
fn tags_and_floods_are_decided_for_ports_networks_and_all() {
    let settings = toml(
        r#"
        flood_rate = 500
        [port."*"]
        unknown_tags = "drop"
        [port.vm]
        unknown_tags = "drop"
        [network.open]
        unknown_tags = "pass"
        "#,
    );
    let policy = settings.unwrap().check().unwrap().policy;
    assert_eq!(policy.flood_rate, NonZeroU32::new(500));
    assert_eq!(policy.unknown_tags.of("any", "any"), UnknownTags::Drop);
    assert_eq!(policy.unknown_tags.of("any", "open"), UnknownTags::Pass);
    assert_eq!(policy.unknown_tags.of("vm", "open"), UnknownTags::Drop);

    let silent = Settings::default().check().unwrap().policy;
    assert_eq!(silent.flood_rate, NonZeroU32::new(100_000));
    assert_eq!(silent.unknown_tags.of("any", "any"), UnknownTags::Pass);
}

#[test]
fn connections_have_linuxs_timeouts_unless_configured() {
    let connections = |text: &str| toml(text).unwrap().check().unwrap().policy.connections.as_ref().clone();
    assert_eq!(connections(""), ConnectionPolicy::default());
    let given = connections("quota_connections = 500\n[connection_timeouts]\ntcp_established = 7");
    let timeouts = Timeouts { tcp_established: 7, ..Timeouts::default() };
    assert_eq!(given, ConnectionPolicy { quota: 500, timeouts });
    let error = toml("[connection_timeouts]\ntcp_estabished = 7").unwrap_err().to_string();
    assert!(error.contains("tcp_estabished") && error.contains("tcp_established"), "{error}");
}

#[test]
fn options_override_single_values_of_the_file() {
    let file = toml(
        "chassis = 'a'\numem_mib = 8\nattach = { p = 'veth0', q = 'veth1' }\nport.p = { no_socket = 'pass' }",
    );
    let flags = toml("chassis = 'b'\nattach = { p = 'veth2' }\nport.p = { allow_generic = true }");
    let config = flags.unwrap().over(file.unwrap()).check().unwrap();
    assert_eq!((config.chassis.as_str(), config.umem_mib), ("b", 8));
    assert_eq!((config.attach["p"].as_str(), config.attach["q"].as_str()), ("veth2", "veth1"));
    let port = config.port("p");
    assert_eq!((port.no_socket, port.allow_generic), (NoSocketPolicy::Pass, true));
}

#[test]
fn no_socket_is_drop_unless_all_ports_pass() {
    let drops = |text: &str| toml(text).unwrap().check().unwrap().drops_without_socket();
    assert!(drops(""));
    assert!(!drops("port.'*'.no_socket = 'pass'"));
    assert!(!drops("port = { '*' = { no_socket = 'pass' }, p = { allow_generic = true } }"));
    assert!(drops("port = { '*' = { no_socket = 'pass' }, p = { no_socket = 'drop' } }"));
}

#[test]
fn pins_are_requested_by_a_pin_folder_or_no_socket_drop() {
    let requested = |text: &str| toml(text).unwrap().check().unwrap().pins_requested;
    assert!(!requested("") && !requested("port.'*'.no_socket = 'pass'"));
    assert!(requested("pin_folder = '/run/pins'"));
    assert!(requested("port.'*'.no_socket = 'drop'") && requested("port.p.no_socket = 'drop'"));
}
