//! The commands of an operator, against a daemon with canned answers.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::sync::{mpsc, oneshot};
use trunkpath::api::{ApiError, Call, Query, Reply, Server};

const LPORT: &str = "c0a80101-1111-4aaa-8bbb-000000000166";

/// A server with canned answers, on a thread that ends when this is dropped.
struct Daemon {
    folder: TempDir,
    _stop: oneshot::Sender<()>,
}

impl Daemon {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let server = runtime.block_on(Server::bind(&folder.path().join("api.sock"))).unwrap();
        let (stop, stopped) = oneshot::channel();
        let (calls, incoming) = mpsc::channel::<Call>(1);
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = server.serve(calls) => {}
                    () = answer_all(incoming) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { folder, _stop: stop }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("api.sock")
    }

    fn command(&self, words: &str) -> Command {
        let mut command = trunkpath(words);
        command.arg("--api").arg(self.socket());
        command
    }

    /// Output of the command, which must succeed.
    fn shown(&self, words: &str) -> String {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "{words}: {}", text(&output.stderr));
        text(&output.stdout)
    }
}

fn trunkpath(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkpath"));
    command.args(words.split_whitespace());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success());
    assert_eq!(text(&output.stdout), "");
    text(&output.stderr)
}

async fn answer_all(mut incoming: mpsc::Receiver<Call>) {
    while let Some(Call { query, reply }) = incoming.recv().await {
        // An interrupted client does not wait for its answer.
        drop(reply.send(Reply { outcome: answer(&query), age_secs: 0 }));
    }
}

fn answer(query: &Query) -> Result<Value, ApiError> {
    let mac = "fa:16:3e:00:01:66";
    Ok(match query {
        Query::Ports => json!([
            {"lport": LPORT, "name": "parent0", "link": "tap\u{1b}[2J", "ifindex": 7, "mode": "native", "queues": 4,
             "network": "ls1", "key": 1, "macs": [mac], "no_socket": "pass", "allow_generic": false,
             "complete_checksums": true, "state": "up",
             "unknown_tags": [{"tpid": "0x8100", "vid": 101, "frames": 12, "seconds_ago": 2}], "refused_macs": []},
            {"lport": "p2", "name": "", "link": null, "ifindex": null, "mode": null, "queues": 0,
             "network": "unknown", "key": 2, "macs": [], "no_socket": "drop", "allow_generic": true,
             "complete_checksums": false, "state": "down", "reason": {"kind": "no_link", "message": "no link"}, "unknown_tags": [], "refused_macs": []},
        ]),
        Query::Subports => json!([
            {"lport": "child", "name": "child100", "parent": LPORT, "segmentation_type": "vlan",
             "segmentation_id": 100, "network": "ls2", "key": 3, "macs": ["fa:16:3e:00:01:68"], "state": "up",
             "unknown_tags": [], "refused_macs": []},
        ]),
        Query::Networks => json!([
            {"lswitch": "ls1", "name": "net-parent", "key": 1,
             "ports": [{"lport": LPORT, "key": 1, "macs": [mac], "state": "up",
                        "pairs": [{"mac": "00:00:5e:00:01:07", "holder": "p2"}]}]},
            {"lswitch": "ls2", "name": "net-vlan100", "key": 2, "ports": []},
        ]),
        Query::Peers => json!([
            {"peer": "host2", "endpoint": "192.0.2.2", "tunnel_types": ["vxlan", "gre"], "networks": ["ls1"],
             "paths": [{"link": "eth1", "next_hop": "192.0.2.254", "next_hop_mac": mac, "mtu": 1600}],
             "problem": null, "age_seconds": 61, "received_frames": 8, "sent_frames": 9},
            {"peer": "host3", "endpoint": "192.0.2.3", "tunnel_types": ["geneve"], "networks": [], "paths": [],
             "problem": "no route to it", "age_seconds": 1, "received_frames": 0, "sent_frames": 0},
        ]),
        Query::Uplinks => json!([
            {"link": "eth1", "ifindex": 4, "mode": "native", "socket_mode": "zero-copy", "queues": 2, "physical_networks": ["physnet1"],
             "vlans": [100, 1234], "untagged": false, "peers": 1, "problem": null},
            {"link": "eth2", "ifindex": null, "mode": null, "socket_mode": null, "queues": 0, "physical_networks": ["physnet2"],
             "vlans": [], "untagged": false, "peers": 0, "problem": "there is no such link"},
        ]),
        Query::Workers => json!([
            {"worker": 0, "cpu": 3, "queues": ["tap0/0", "tap0/1"], "sleeping": true, "handover_queued": 0},
        ]),
        Query::Problems => json!([{"about": "lport x", "reason": "it is its own parent"}]),
        Query::Nb => {
            json!({"url": "etcd://me@h1", "state": "stale", "reason": "db_away", "revision": 77, "age_seconds": 12.34,
                            "error": "no server answers", "chassis_record": {"state": "written"}, "reported_up": 3, "unusable": 2})
        }
        Query::Groups => json!([
            {"group": "g1", "name": "web", "exists": true, "stateless": false, "ports": [LPORT], "members": 9,
             "rules": [
                {"rule": "r1", "direction": "ingress", "ethertype": "IPv4", "protocol": 6, "selectors": [80, 81],
                 "remote_ip_prefix": "10.0.0.0/8", "remote_group_id": null},
                {"rule": "r2", "direction": "egress", "ethertype": "IPv6", "protocol": 58,
                 "selectors": [32768, 33023], "remote_ip_prefix": null, "remote_group_id": "g2"},
                {"rule": "r3", "direction": "egress", "ethertype": "IPv4", "protocol": null,
                 "selectors": [0, 65535], "remote_ip_prefix": null, "remote_group_id": null}],
             "unclear": [{"rule": "r4", "reason": "no direction"}]},
            {"group": "g3", "name": "", "exists": false, "stateless": false, "ports": ["p2"], "members": 1,
             "rules": [], "unclear": []},
        ]),
        Query::Connections(request) => {
            let lport = request.port.as_deref().unwrap_or(LPORT);
            json!({"total": 3, "connections": [
                {"lport": lport, "protocol": 6, "local": {"address": "10.0.0.1", "port": 5000},
                 "remote": {"address": "10.0.0.2", "port": 80}, "opened": "egress", "phase": "established",
                 "age_seconds": 61, "expires_seconds": 432_000, "bytes_sent": 1234, "bytes_received": 56789},
                {"lport": lport, "protocol": 50, "local": {"address": "fd00::1", "port": 0},
                 "remote": {"address": "fd00::2", "port": 0}, "opened": "ingress", "phase": "unanswered",
                 "age_seconds": 1, "expires_seconds": 600, "bytes_sent": 0, "bytes_received": 99},
            ]})
        }
        Query::Drift => json!(["port 7 is None: expected Some"]),
        Query::Stats => json!({
            "ports": [{"lport": LPORT, "received_frames": 12, "received_bytes": 1200, "sent_frames": 5,
                       "sent_bytes": 400, "drops": {"locate_unknown": 7, "classify_truncated": 0},
                       "address_moves": 3, "refused_address_moves": 41}],
            "outside": [{"peer": "host2", "received_frames": 8, "received_bytes": 800, "sent_frames": 9,
                         "sent_bytes": 900, "drops": {"decapsulate_source_is_local": 3}}],
            "links": [{"link": "tap0", "redirected": 12, "passed": 0, "dropped": 3, "transmit_dropped": 8, "sockets": [
                {"queue": 2, "rx_dropped": 0, "rx_invalid": 0, "tx_invalid": 0, "rx_ring_full": 9,
                 "fill_ring_empty": 0, "tx_ring_empty": 55}]}],
            "chunks": {"total": 10, "pool": 4, "fill": 5, "rx": 0, "in_hand": 0, "tx": 0, "completion": 0,
                       "between_workers": 0, "sum": 9},
        }),
        Query::Trace(request) if request.port == "nowhere" => {
            return Err(ApiError::NoSuchPort {
                lport: request.port.clone(),
                ids: vec!["id-of-nowhere".to_owned()],
            });
        }
        Query::Trace(request) => json!({
            "steps": [{"step": "classify", "what": format!("from {}", request.port)}],
            "outputs": [{"link": "tap1", "port": "other", "name": "vm2", "frame": request.frame}],
            "drops": [{"port": "third", "reason": "flood_no_chunk"}],
        }),
    })
}

/// Whether a line has all of these words.
fn has_line(screen: &str, words: &[&str]) -> bool {
    screen.lines().any(|line| words.iter().all(|word| line.contains(word)))
}

#[test]
fn each_show_answers_on_one_line_a_thing() {
    let daemon = Daemon::start();
    let ports = daemon.shown("show ports");
    assert!(has_line(&ports, &[LPORT, "parent0", "native", "net-parent", "no_socket=pass", "up"]), "{ports}");
    assert!(
        has_line(&ports, &["p2", "unknown", "allow_generic complete_checksums=false", "no link"]),
        "{ports}"
    );
    assert!(ports.contains("tap\\u{1b}[2J") && !ports.contains('\u{1b}'), "escaped: {ports}");
    let subports = daemon.shown("show subports");
    assert!(
        has_line(&subports, &["child", "child100", LPORT, "vlan 100", "net-vlan100", "up"]),
        "{subports}"
    );
    let networks = daemon.shown("show networks");
    assert!(has_line(&networks, &["net-parent (ls1, key 0x1)"]), "{networks}");
    assert!(has_line(&networks, &[LPORT, "00:00:5e:00:01:07", "p2"]), "{networks}");
    assert!(has_line(&networks, &["net-vlan100 (ls2, key 0x2): no port here"]), "{networks}");
    let peers = daemon.shown("show peers");
    assert!(
        has_line(&peers, &["host2", "192.0.2.2", "vxlan gre", "eth1", "192.0.2.254", "1600", "61 s"]),
        "{peers}"
    );
    assert!(has_line(&peers, &["host3: no route to it"]), "{peers}");
    let uplinks = daemon.shown("show uplinks");
    assert!(
        has_line(&uplinks, &["eth1", "native", "zero-copy", "physnet1", "100 1234", "open"]),
        "{uplinks}"
    );
    assert!(has_line(&uplinks, &["eth2", "down: there is no such link"]), "{uplinks}");
    let workers = daemon.shown("show workers");
    assert!(has_line(&workers, &["0", "3", "sleeping", "tap0/0 tap0/1"]), "{workers}");
    let groups = daemon.shown("show groups");
    assert!(has_line(&groups, &["web (g1): stateful"]) && has_line(&groups, &[LPORT, "9"]), "{groups}");
    assert!(has_line(&groups, &["ingress", "IPv4", "tcp", "80-81", "10.0.0.0/8", "r1"]), "{groups}");
    assert!(has_line(&groups, &["egress", "IPv6", "ipv6-icmp", "type 128", "group g2", "r2"]), "{groups}");
    assert!(has_line(&groups, &["egress", "IPv4", "any", "r3"]), "{groups}");
    assert!(has_line(&groups, &["rule r4 allows nothing: no direction"]), "{groups}");
    assert!(has_line(&groups, &["g3: has no record"]), "{groups}");
    let connections = daemon.shown("show connections");
    let tcp = [LPORT, "tcp", "10.0.0.1:5000", "->", "10.0.0.2:80", "established", "61 s", "1234", "56789"];
    assert!(has_line(&connections, &tcp), "{connections}");
    assert!(has_line(&connections, &["50", "fd00::1", "<-", "fd00::2", "unanswered"]), "{connections}");
    assert!(has_line(&connections, &["and 1 more"]), "{connections}");
    assert!(has_line(&daemon.shown("show connections p7"), &["p7", "tcp"]));
    assert!(!daemon.command("show ports p7").output().unwrap().status.success());
    assert_eq!(daemon.shown("show problems"), "lport x\n  it is its own parent\n");
    let nb = daemon.shown("show nb");
    assert!(has_line(&nb, &["etcd://me@h1", "stale: the DB is away", "77", "12.3 s", "3", "2"]), "{nb}");
    assert!(has_line(&nb, &["no server answers"]), "{nb}");
    assert_eq!(daemon.shown("show drift"), "port 7 is None: expected Some\n");
}

#[test]
fn show_without_a_view_is_a_summary_and_views_have_a_singular() {
    let daemon = Daemon::start();
    let summary = daemon.shown("show");
    assert!(has_line(&summary, &["ports", "1 of 2 up"]), "{summary}");
    assert!(has_line(&summary, &["  p2 down: no link"]), "{summary}");
    assert!(
        has_line(&summary, &["northbound", "etcd://me@h1: stale: the DB is away, revision 77"]),
        "{summary}"
    );
    assert!(has_line(&summary, &["problems", "1 -> trunkpath show problems"]), "{summary}");
    let json: Value = serde_json::from_str(&daemon.shown("show --json")).unwrap();
    assert_eq!(json["problems"], answer(&Query::Problems).unwrap());
    for (singular, plural) in [("port", "ports"), ("subport", "subports"), ("network", "networks")] {
        assert_eq!(daemon.shown(&format!("show {singular}")), daemon.shown(&format!("show {plural}")));
    }
}

#[test]
fn json_is_the_daemons_answer() {
    let daemon = Daemon::start();
    for (command, query) in [
        ("show ports", Query::Ports),
        ("show subports", Query::Subports),
        ("show networks", Query::Networks),
        ("show workers", Query::Workers),
        ("show problems", Query::Problems),
        ("show nb", Query::Nb),
        ("show drift", Query::Drift),
        ("stats", Query::Stats),
    ] {
        let printed: Value = serde_json::from_str(&daemon.shown(&format!("{command} --json"))).unwrap();
        assert_eq!(printed, answer(&query).unwrap(), "{command}");
    }
}

#[test]
fn stats_list_drops_by_place_without_zeros() {
    let stats = Daemon::start().shown("stats");
    assert!(has_line(&stats, &[LPORT, "12", "1200", "5", "400", "7"]), "{stats}");
    assert!(has_line(&stats, &[LPORT, "locate_unknown", "7"]), "{stats}");
    assert!(!stats.contains("classify_truncated") && !stats.contains("55"), "{stats}");
    assert!(has_line(&stats, &[LPORT, "3", "41"]), "{stats}");
    assert!(has_line(&stats, &["tap0", "12", "0", "3", "8"]), "{stats}");
    assert!(has_line(&stats, &["tap0/2", "rx_ring_full", "9"]), "{stats}");
    assert!(has_line(&stats, &["LINK", "NO SOCKET: DROPPED"]), "{stats}");
    assert!(has_line(&stats, &["pool 4 + fill 5", "9 of 10: NOT ALL THERE"]), "{stats}");
}

#[test]
fn watch_ends_when_it_is_interrupted() {
    let daemon = Daemon::start();
    for (words, first_line) in [("stats --watch", "LPORT"), ("stats --watch --json", "{")] {
        let mut child = daemon.command(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert!(line.starts_with(first_line), "{words}: {line}");
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        assert!(child.wait().unwrap().success(), "{words}: Ctrl-C is how it ends");
        out.read_to_string(&mut line).unwrap();
    }
}

#[test]
fn trace_sends_the_frame_that_was_described() {
    let daemon = Daemon::start();
    let dst = "--dst fa:16:3e:00:00:09";
    for (words, frame) in [
        (format!("--port {LPORT} {dst}"), "fa163e000009fa163e00016688b50000"),
        (format!("--port {LPORT} {dst} --vlan 100"), "fa163e000009fa163e0001688100006488b5"),
        (format!("--port {LPORT} {dst} --vlan 7"), "fa163e000009fa163e0001668100000788b5"),
        (format!("--port p2 {dst}"), "fa163e00000902000000000188b5"),
        (format!("--port p2 {dst} --src 02:00:00:00:00:42"), "fa163e00000902000000004288b5"),
        ("--port p2 --hex 01:02:0A".to_owned(), "01020a"),
    ] {
        let trace = daemon.shown(&format!("trace --hex-out {words}"));
        assert!(has_line(&trace, &["leaves by tap1 to vm2 (other): "]), "{words}: {trace}");
        assert!(has_line(&trace, &[&format!("  {frame}")]), "{words}: {trace}");
        assert!(has_line(&trace, &["classify", "from "]) && has_line(&trace, &["third", "flood_no_chunk"]));
    }
}

#[test]
fn errors_have_the_value_and_the_remedy() {
    let daemon = Daemon::start();
    for (words, part) in [
        ("trace --port nowhere --hex 00", "there is one named nowhere: id-of-nowhere"),
        ("trace --port p2 --hex 0g", "'g' at character 2"),
        ("trace --port p2", "--dst"),
        ("trace --port p2 --dst 1:2", "1:2"),
        ("trace --port p2 --dst fa:16:3e:00:00:09 --vlan 4096", "4096"),
        ("show prots", "ports"),
    ] {
        let message = refused(&daemon.command(words).output().unwrap());
        assert!(message.contains(part), "{words}: {message}");
    }
    for (words, parts) in [
        ("show ports --api /nonexistent/api.sock", ["/nonexistent/api.sock", "trunkpath run"]),
        ("run --config /nonexistent.toml", ["/nonexistent.toml", "No such file"]),
        ("run --workers 9999", ["9999", "allowed are"]),
        ("run --attach lport", ["'lport'", "LPORT=LINK"]),
        ("run --attach a=x --attach a=y", ["lport a", "x and y"]),
        ("run --port a:no_sockets=pass", ["no_sockets", "\"no_socket\""]),
        ("run --port no_socket=pass", ["no_socket=pass", "LPORT:KEY=VALUE"]),
    ] {
        let message = refused(&trunkpath(words).output().unwrap());
        assert!(parts.iter().all(|part| message.contains(part)), "{words}: {message}");
        assert!(message.matches("No such file").count() < 2, "repeated: {message}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let daemon = Daemon::start();
    let mut child =
        daemon.command("show ports").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut complaint = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert!(child.wait().unwrap().success(), "{complaint}");
    assert_eq!(complaint, "");
}

#[test]
fn a_full_disk_under_the_output_is_an_error() {
    let daemon = Daemon::start();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = daemon.command("show ports").stdout(full.try_clone().unwrap()).output().unwrap();
    assert!(!output.status.success() && text(&output.stderr).contains("No space left"), "{output:?}");
    // The error cannot be written either.
    let status = trunkpath("show ports --api /none").stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(1), "a failure, not a panic");
}

#[test]
fn with_json_an_error_is_json() {
    for words in [
        "show ports --json --api /none",
        "stats --json --api /none",
        "nb --nb sqlite:/none list lport --json",
    ] {
        let output = trunkpath(words).output().unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let error = answer["error"].as_str().unwrap();
        assert!(!output.status.success() && error.contains("/none"), "{words}: {error}");
        assert_eq!(text(&output.stderr), "", "{words}");
    }
}
