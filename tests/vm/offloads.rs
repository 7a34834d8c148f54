//! TCP from a VM with the default offloads of virtio, which sends super-packets of up to 64 KiB, compared
//! with a VM that sends none. The costs of both are printed.

use std::fmt;
use std::io::Read as _;
use std::net::{IpAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use super::machine::{Offloads, Vm};
use super::talk::{accept, numbers};
use super::testbed::{Peer, on_testbed};
use testkit::wait::PATIENCE;

/// The VMs send in turns; the median counts.
const ROUNDS: usize = 3;

/// The file has the numbers from 1 to this one, 6.9 MB.
const LAST: u32 = 1_000_000;

/// The longest frame of MTU 1500, with a tag, in bytes.
const LONGEST_FRAME: u64 = 1518;

/// Cost of one transfer of the file.
struct Transfer {
    time: Duration,
    /// Number of retransmitted TCP segments.
    retransmitted: u64,
    /// Mean length of the packets that the VM gave to its link, in bytes.
    mean_length: u64,
}

/// Costs in each round.
struct Transfers(Vec<Transfer>);

impl Transfers {
    fn median(&self) -> Duration {
        let mut times: Vec<_> = self.0.iter().map(|transfer| transfer.time).collect();
        times.sort();
        times[times.len() / 2]
    }

    fn fewest_retransmitted(&self) -> u64 {
        self.0.iter().map(|transfer| transfer.retransmitted).min().unwrap()
    }

    fn longest_mean(&self) -> u64 {
        self.0.iter().map(|transfer| transfer.mean_length).max().unwrap()
    }
}

impl fmt::Display for Transfers {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Transfer { time, retransmitted, mean_length } in &self.0 {
            write!(out, "{:.2} s (sent again {retransmitted}, {mean_length} B each), ", time.as_secs_f64())?;
        }
        write!(out, "median {:.2} s", self.median().as_secs_f64())
    }
}

#[test]
fn super_packets_cost_a_vm_no_more_than_half_of_its_throughput() {
    on_testbed(|testbed| {
        let trunks = [testbed.parent(), testbed.parent()];
        let subports = trunks.map(|parent| testbed.subport(&parent, 100, 2));
        testbed.start();
        let mut stock = testbed.power_on(&trunks[0], Offloads::Stock);
        let mut plain = testbed.power_on(&trunks[1], Offloads::NoSuperPackets);
        for (number, vm) in [&mut stock, &mut plain].into_iter().enumerate() {
            vm.wait_until_booted();
            vm.configure(&[trunks[number], subports[number]]);
            vm.run(&format!("seq 1 {LAST} >/tmp/file"));
        }
        testbed.wait_until_all_up();
        for (way, guest_link) in [("untagged", &trunks[0]), ("tagged", &subports[0])] {
            let peer = testbed.peer(guest_link);
            for ip in peer.guest_link.ips() {
                compare(way, &mut stock, &mut plain, peer, ip);
            }
        }
    });
}

fn compare(way: &str, stock: &mut Vm, plain: &mut Vm, peer: &Peer, ip: IpAddr) {
    let (mut with, mut without) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        with.push(transfer(stock, peer, ip));
        without.push(transfer(plain, peer, ip));
    }
    let (with, without) = (Transfers(with), Transfers(without));
    println!("{way} to {ip}\n  stock offloads: {with}\n  no super-packets: {without}");
    assert!(with.longest_mean() > LONGEST_FRAME, "the VM with stock offloads sent no super-packets");
    assert!(without.longest_mean() <= LONGEST_FRAME, "the VM without super-packets sent some");
    assert!(with.median() <= 2 * without.median(), "super-packets take more than twice the time");
    assert_eq!(with.fewest_retransmitted(), 0, "in each round some segment was sent again");
}

/// `vm` sends the file to `peer` at its address `ip`.
fn transfer(vm: &mut Vm, peer: &Peer, ip: IpAddr) -> Transfer {
    let listener = peer.netns.enter(|| TcpListener::bind((ip, 0)).unwrap());
    let port = listener.local_addr().unwrap().port();
    let (again, packets, bytes) = counters(vm);
    let time = thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let mut stream = accept(&listener);
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let (start, mut received) = (Instant::now(), vec![]);
            stream.read_to_end(&mut received).unwrap();
            let time = start.elapsed();
            assert!(
                received == numbers(LAST),
                "the {} bytes that came are others than those sent",
                received.len()
            );
            time
        });
        // With the socket as its output, `cat` passes large writes to the kernel; `nc` would not.
        vm.run(&format!("nc {ip} {port} -e cat /tmp/file"));
        receiver.join().unwrap()
    });
    let (again_now, packets_now, bytes_now) = counters(vm);
    Transfer {
        time,
        retransmitted: again_now - again,
        mean_length: (bytes_now - bytes) / (packets_now - packets),
    }
}

/// Counters of `vm`: retransmitted TCP segments, and packets and bytes sent on eth0.
fn counters(vm: &mut Vm) -> (u64, u64, u64) {
    let mut read = |command: &str| vm.run(command).parse::<u64>().unwrap();
    (
        // RetransSegs is in the second of two lines; the first one names the columns.
        read("awk '/^Tcp:/ { again = $13 } END { print again }' /proc/net/snmp"),
        read("cat /sys/class/net/eth0/statistics/tx_packets"),
        read("cat /sys/class/net/eth0/statistics/tx_bytes"),
    )
}
