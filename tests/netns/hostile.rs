//! Mangled and forged frames, and their outcome by a model in another language (`model/`).

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use serde::Deserialize;
use serde_json::Value;

use testkit::testbed::{Testbed, on_testbed};

const BATCHES: usize = 200;
const FRAMES: usize = 500;

/// A line that the model writes (`model/__main__.py`).
#[derive(Debug, Deserialize)]
struct Batch {
    from: String,
    frames: Vec<String>,
    arrive: BTreeMap<String, Vec<String>>,
    drops: BTreeMap<String, u64>,
}

/// Two guests with subports on shared networks under different tags, one subport with a subport of its own; a
/// peer on each network; port security and dropped unknown tags on guests and on subports.
fn ports(testbed: &mut Testbed) -> BTreeMap<String, Value> {
    let networks: Vec<_> = (0..4).map(|_| testbed.network()).collect();
    let vm = testbed.guest("vm", networks[0]);
    let other = testbed.guest("other", networks[1]);
    testbed.subport(&vm, 100, networks[1]);
    let inner = testbed.subport(&vm, 200, networks[2]);
    testbed.subport(&inner, 7, networks[3]);
    let guarded_subport = testbed.subport(&other, 100, networks[2]);
    let strict_subport = testbed.subport(&other, 101, networks[0]);
    let guarded = testbed.guest("guarded", networks[0]);
    testbed.guest("neighbour", networks[2]);
    let strict = testbed.guest("strict", networks[3]);
    for port in [&strict, &strict_subport] {
        testbed.arguments.extend(["--port".to_owned(), format!("{}:unknown_tags=drop", port.id())]);
    }
    testbed.write_records();
    let ips = ["10.1.0.1", "2001:db8::1"];
    let secured = [&guarded, &guarded_subport];
    for port in secured {
        testbed.secure(port, &ips);
    }
    testbed.relaunch();
    testbed.wait_until_all_up();

    let mut ports = testbed.ports_for_model();
    for port in [&strict, &strict_subport] {
        ports.get_mut(&port.id()).unwrap()["strict"] = true.into();
    }
    for port in secured {
        ports.get_mut(&port.id()).unwrap()["ips"] = ips.into();
    }
    ports
}

fn model(seed: u64, ports: &BTreeMap<String, Value>) -> Child {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/netns/model");
    let arguments = [seed.to_string(), BATCHES.to_string(), FRAMES.to_string()];
    let mut model = Command::new("python3")
        .args(["-B", program])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = model.stdin.take().unwrap();
    input.write_all(serde_json::to_string(ports).unwrap().as_bytes()).unwrap();
    model
}

#[test]
fn a_hundred_thousand_frames_agree_with_an_independent_model() {
    on_testbed(|testbed| {
        let ports = ports(testbed);
        let seed = std::env::var("TRUNKPATH_SEED").map_or(1, |seed| seed.parse().unwrap());
        let mut model = model(seed, &ports);
        let mut drops: BTreeMap<String, u64> = BTreeMap::new();
        let mut batches = 0;
        for line in BufReader::new(model.stdout.take().unwrap()).lines() {
            let Batch { from, frames, mut arrive, drops: dropped } =
                serde_json::from_str(&line.unwrap()).unwrap();
            let frames: Vec<_> = frames.iter().map(|frame| bytes(frame)).collect();
            // The kernel of a guest drops a tagged frame with fewer than two bytes behind its EtherType.
            for frames in arrive.values_mut() {
                frames.retain(|frame| !is_cut_behind_its_tag(frame));
            }
            testbed.exchange_bytes(&from, &frames, &arrive);
            for (what, count) in dropped {
                *drops.entry(what).or_default() += count;
            }
            batches += 1;
        }
        assert!(model.wait().unwrap().success());
        assert_eq!(batches, BATCHES);
        assert_eq!(counted(testbed), drops);
        let reasons =
            ["antispoof_source_mac", "antispoof_source_ip", "antispoof_unreadable", "classify_unknown_tag"];
        let of_all = ["locate_source_invalid", "locate_reserved", "classify_truncated", "admit_tag_refused"];
        for reason in reasons.into_iter().chain(of_all) {
            assert!(drops.keys().any(|what| what.ends_with(reason)), "no frame was dropped by {reason}");
        }
    });
}

/// Drops of the daemon, in the form of the model.
fn counted(testbed: &Testbed) -> BTreeMap<String, u64> {
    let stats = testbed.daemon().stats();
    let ports = stats["ports"].as_array().unwrap();
    let of_port = |port: &Value| {
        let lport = port["lport"].as_str().unwrap().to_owned();
        let drops = port["drops"].as_object().unwrap().clone();
        drops.into_iter().map(move |(reason, count)| (format!("{lport} {reason}"), count.as_u64().unwrap()))
    };
    ports.iter().flat_map(of_port).collect()
}

fn is_cut_behind_its_tag(frame: &str) -> bool {
    let frame = bytes(frame);
    matches!(frame[12..14], [0x81, 0x00] | [0x88, 0xa8]) && frame.len() < 20
}

fn bytes(hex: &str) -> Vec<u8> {
    hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}
