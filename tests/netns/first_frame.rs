//! Time from a commit in etcd to the first frame that is forwarded by it, with many segmentations of other
//! hosts in the DB. The figures of `docs/northbound.md` are those that `TRUNKPATH_PARENTS=1000
//! TRUNKPATH_CHANGES=500 cargo test --release --test integration netns::first_frame -- --nocapture` prints.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use etcd_client::{Client, Txn, TxnOp};
use trunkpath::nb::Op;

use super::vm_ports::VmPorts;
use testkit::frame::{Frame, tci};
use testkit::large;
use testkit::nb_servers::{NbServers, with_etcd};
use testkit::testbed::Testbed;

/// Parents of other hosts, with 100 subports each, and timed changes, unless the environment sets them.
const PARENTS: u16 = 10;
const CHANGES: u16 = 20;
/// Pause between two frames.
const PAUSE: Duration = Duration::from_micros(50);

fn setting(name: &str, default: u16) -> u16 {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number up to 65535"))
}

/// Writes the records of other hosts.
async fn load(mut client: Client) {
    let parents = setting("TRUNKPATH_PARENTS", PARENTS).into();
    let records: Vec<_> = large::LargeScenario { parents }.records().collect();
    for some in records.chunks(128) {
        let put = |record| {
            let (id, text) = large::write(record);
            TxnOp::put(format!("/{}/{}", id.table, id.id), text.unwrap_or_default(), None)
        };
        let ops: Vec<_> = some.iter().map(put).collect();
        client.txn(Txn::new().and_then(ops)).await.unwrap();
    }
}

/// Commits `change`, and sends frames until one has arrived. Returns the time from the commit.
fn time(testbed: &Testbed, servers: &NbServers, ports: &VmPorts, vid: u16, change: &Op) -> Duration {
    let Op::Put { table, json } = change else { panic!("{change:?}") };
    let key = format!("/{table}/{}", ports.segmentation_id(0));
    let mut json = json.clone();
    json["id"] = ports.segmentation_id(0).into();
    servers.with_client(|mut client| async move { client.put(key, json.to_string(), None).await.unwrap() });
    let committed = Instant::now();
    let frame = Frame::new(ports.spares[0].mac, ports.peer.mac).tagged(tci(0, false, vid)).bytes();
    let arrived = testbed.capture(&ports.peer).arrived();
    let before = arrived.load(Ordering::Relaxed);
    let sender = testbed.sender(&ports.vm);
    while arrived.load(Ordering::Relaxed) == before {
        sender.send(&frame);
        std::thread::sleep(PAUSE);
        assert!(committed.elapsed() < Duration::from_secs(30), "no frame arrives");
    }
    committed.elapsed()
}

#[test]
fn first_frame_follows_a_commit_with_many_segmentations_of_other_hosts() {
    with_etcd(1, |testbed, servers| {
        let ports = VmPorts::new(testbed, 1);
        testbed.start();
        servers.with_client(load);
        testbed.daemon().wait_until_converged();
        let changes = setting("TRUNKPATH_CHANGES", CHANGES);
        let mut times = Vec::new();
        for number in 0..changes {
            let vid = 1000 + number;
            times.push(time(testbed, servers, &ports, vid, &ports.add(0, vid)));
            // Frames in flight with this VID must not count for the next one.
            std::thread::sleep(Duration::from_millis(5));
        }
        testbed.daemon().wait_until_converged();
        times.sort();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        println!("{changes} changes: p50 {:?}, p99 {:?}, most {:?}", at(50), at(99), at(100));
    });
}
