//! A guest that sends as fast as it can does not disturb its neighbours.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::scope;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use testkit::command::run;
use testkit::frame::{BROADCAST, Frame, tci};
use testkit::stream::Stream;
use testkit::tap::Tap;
use testkit::testbed::{Port, Testbed, on_testbed};
use testkit::wait::until;

/// Minimum number of frames of a storm.
const STORM: u64 = 300_000;

const FLOOD_RATE: u64 = 2000;

/// Frames that a tap queues for its reader (its default `txqueuelen`), and that a TX ring holds for the tap.
const TAP_QUEUE: u64 = 1000;
const TX_RING: u64 = 2048;

/// Frames of two senders, the ratio between them, and the maximum number of turns.
const SHARED: usize = 20_000;
const TIMES: usize = 10;
const MOST_TURNS: usize = 10_000_000;

/// Maximum time of an answer of the daemon.
const ANSWERED: Duration = Duration::from_secs(1);

/// A guest with a neighbour, a subport of it on another network, and on that a sender and a receiver.
struct VmPorts {
    stormy: Port,
    stuck: Port,
    subport: Port,
    sender: Port,
    receiver: Port,
}

fn ports(testbed: &mut Testbed) -> VmPorts {
    let (one, two) = (testbed.network(), testbed.network());
    let stormy = testbed.guest("stormy", one);
    let stuck = testbed.guest("beside", one);
    let subport = testbed.subport(&stormy, 100, two);
    let (sender, receiver) = (testbed.guest("sender", two), testbed.guest("receiver", two));
    testbed.arguments.extend(["--flood-rate".to_owned(), FLOOD_RATE.to_string()]);
    testbed.start();
    VmPorts { stormy, stuck, subport, sender, receiver }
}

/// Sends `frame` from the guest of `from` without a pause while `meanwhile` runs, which gets the number sent.
pub fn storm<T>(testbed: &Testbed, from: &Port, frame: &Frame, meanwhile: impl FnOnce(&AtomicU64) -> T) -> T {
    let (sender, bytes) = (testbed.sender(from), frame.bytes());
    let (sent, stop) = (Arc::new(AtomicU64::new(0)), AtomicBool::new(false));
    scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                sent.fetch_add(u64::from(sender.offer(&bytes)), Ordering::Relaxed);
            }
        });
        let result = meanwhile(&sent);
        stop.store(true, Ordering::Relaxed);
        result
    })
}

/// While the VLAN-aware guest floods `frame`, all frames from the sender to the receiver arrive, and the
/// daemon answers.
fn assert_unnoticed(testbed: &mut Testbed, ports: &VmPorts, frame: &Frame) {
    let template = Frame::new(ports.sender.mac, ports.receiver.mac);
    let stream = Stream::new(testbed.sender(&ports.sender), template.clone());
    let stream = storm(testbed, &ports.stormy, frame, |sent| {
        let running = stream.start();
        until("a storm", || {
            let asked = Instant::now();
            assert!(testbed.daemon().show("ports").is_some(), "the daemon answers");
            assert!(asked.elapsed() < ANSWERED, "it took {:?} to answer", asked.elapsed());
            (sent.load(Ordering::Relaxed) >= STORM).then_some(())
        });
        running.stop()
    });
    stream.assert_arrived(testbed.capture(&ports.receiver), &template);
}

#[test]
fn a_broadcast_storm_is_limited_and_disturbs_no_other_port_under_traffic() {
    on_testbed(|testbed| {
        let ports = ports(testbed);
        let frame = Frame::new(ports.subport.mac, BROADCAST).tagged(tci(0, false, 100));
        assert_unnoticed(testbed, &ports, &frame);
        assert!(testbed.daemon().dropped(&ports.subport.id(), "flood_rate") > STORM / 10);
        testbed.forget_arrived(&ports.stormy);
    });
}

#[test]
fn small_frames_at_full_rate_disturb_no_other_port_under_traffic() {
    on_testbed(|testbed| {
        let ports = ports(testbed);
        let unknown = [2, 0xde, 0xad, 0, 0, 1];
        let frame = Frame::new(ports.stormy.mac, unknown).carrying(&[]);
        assert_unnoticed(testbed, &ports, &frame);
        testbed.forget_arrived(&ports.stormy);
    });
}

#[test]
fn a_receiver_that_never_reads_disturbs_no_other_port_under_traffic() {
    on_testbed(|testbed| {
        let ports = ports(testbed);
        testbed.host.ip(&format!("link delete dev {}", testbed.dev(&ports.stuck)));
        testbed.daemon().wait_until_up("ports", 3);
        // Dropped before the testbed ends, which then restores the guest's old link.
        let tap = Tap::of_a_guest_that_hangs(&testbed.host, "hangs", &ports.stuck.id());
        testbed.daemon().wait_until_up("ports", 4);

        assert_unnoticed(testbed, &ports, &Frame::new(ports.stormy.mac, ports.stuck.mac));
        let stats = testbed.daemon().stats();
        let row = stats["links"].as_array().unwrap().iter().find(|row| row["link"] == "hangs").unwrap();
        let port = stats["ports"].as_array().unwrap().iter().find(|row| row["lport"] == ports.stuck.id());
        let sent = port.unwrap()["sent_frames"].as_u64().unwrap();
        let dropped = row["transmit_dropped"].as_u64().unwrap()
            + testbed.daemon().dropped(&ports.stuck.id(), "transmit_ring_full");
        // All except those in the queue of the tap, and in the TX ring of the daemon.
        assert!(sent > STORM / 10 && dropped + TAP_QUEUE + TX_RING > sent, "{dropped} of {sent}");
        drop(tap);
        testbed.daemon().wait_until_up("ports", 3);
        testbed.plug(&ports.stuck);
        testbed.wait_until_all_up();
        testbed.forget_arrived(&ports.stormy);
    });
}

/// Two guests send to a third one more than the switch can forward, one of them ten times as much as the
/// other.
///
/// The load is bounded by counts: one thread sends in turns, ten frames and one. It shares the CPU of the
/// worker, which has a niceness of 19, so that even the lesser sender offers more than its half.
#[test]
fn a_guest_that_sends_ten_times_as_much_gets_no_more_than_its_share_under_traffic() {
    on_testbed(|testbed| {
        let one = testbed.network();
        let [heavy, light, receiver] = ["heavy", "light", "receiver"].map(|name| testbed.guest(name, one));
        let cpu = first_cpu();
        testbed.arguments.extend(["--workers".to_owned(), cpu.to_string()]);
        testbed.start();
        run(&format!("renice -n 19 -p {}", testbed.daemon().thread("worker-0")));

        let senders = [testbed.sender(&heavy), testbed.sender(&light)];
        let frames = [&heavy, &light].map(|from| Frame::new(from.mac, receiver.mac).bytes());
        let stop = AtomicBool::new(false);
        let (mut arrived, turns) = scope(|scope| {
            let load = scope.spawn(|| {
                pin_to(cpu);
                let mut turns = 0;
                while turns < MOST_TURNS && !stop.load(Ordering::Relaxed) {
                    for _ in 0..TIMES {
                        senders[0].offer(&frames[0]);
                    }
                    senders[1].offer(&frames[1]);
                    turns += 1;
                }
                turns
            });
            let mut count = 0;
            let arrived = testbed.capture(&receiver).through(|_| {
                count += 1;
                count == SHARED
            });
            stop.store(true, Ordering::Relaxed);
            (arrived, load.join().unwrap())
        });
        assert!(turns > SHARED / 2, "the lesser sender offered {turns} frames, which is no overload");
        let middle = arrived.drain(SHARED / 4..SHARED * 3 / 4);
        let greedy = middle.filter(|frame| frame[6..12] == heavy.mac).count();
        println!("{greedy} of {} frames are from who sends {TIMES} times as much", SHARED / 2);
        assert!((SHARED / 5..=SHARED * 3 / 10).contains(&greedy), "{greedy} of {}", SHARED / 2);
        // The load also reaches its sender's own capture, which is too slow for it and is not checked.
        testbed.recapture(&heavy);
        until("the worker to have nothing left to do", || {
            (testbed.daemon().show("workers")?[0]["sleeping"] == true).then_some(())
        });
        testbed.forget_arrived(&heavy);
    });
}

/// The first CPU that this process may use.
fn first_cpu() -> usize {
    let allowed = sched_getaffinity(Pid::this()).unwrap();
    (0..CpuSet::count()).find(|cpu| allowed.is_set(*cpu).unwrap()).unwrap()
}

/// Pins this thread to a CPU.
fn pin_to(cpu: usize) {
    let mut only = CpuSet::new();
    only.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &only).unwrap();
}
