//! A VLAN-aware VM: its parent port on network 1, VLAN links on others.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{TryRecvError, channel};
use std::thread;

use super::machine::{Offloads, Vm};
use super::talk::{assert_silent, connect, converse, converse_of_vms, echo, ping};
use super::testbed::{GuestLink, VmTestbed, on_testbed};
use testkit::wait::PATIENCE;

/// A parent on network 1 with `eth0.100` and `eth0.200` on networks 2 and 3.
fn trunk_and_subports(testbed: &mut VmTestbed) -> [GuestLink; 3] {
    let parent = testbed.parent();
    [parent, testbed.subport(&parent, 100, 2), testbed.subport(&parent, 200, 3)]
}

fn converse_on_all(testbed: &VmTestbed, vm: &mut Vm, own: &[GuestLink]) {
    for guest_link in own {
        converse(vm, guest_link, testbed.peer(guest_link));
    }
}

#[test]
fn a_vm_communicates_on_each_of_its_networks() {
    on_testbed(|testbed| {
        let own = trunk_and_subports(testbed);
        testbed.start();
        let mut vm = testbed.boot(&own);
        converse_on_all(testbed, &mut vm, &own);
    });
}

#[test]
fn two_vms_communicate_by_different_vids() {
    on_testbed(|testbed| {
        let (one, two) = (testbed.parent(), testbed.parent());
        let (here, there) = (testbed.subport(&one, 100, 2), testbed.subport(&two, 300, 2));
        testbed.start();
        let mut vms = [&one, &two].map(|parent| testbed.power_on(parent, Offloads::Stock));
        for (vm, own) in vms.iter_mut().zip([[one, here], [two, there]]) {
            vm.wait_until_booted();
            vm.configure(&own);
        }
        testbed.wait_until_all_up();
        let [a, b] = &mut vms;
        converse_of_vms(a, (b, &there));
        converse_of_vms(b, (a, &here));
        converse_of_vms(a, (b, &two));
    });
}

#[test]
fn a_vm_gets_a_subport_and_loses_one_while_it_runs() {
    on_testbed(|testbed| {
        let own = trunk_and_subports(testbed);
        let [parent, stays, goes] = own;
        let comes = testbed.spare_port(400, 4);
        testbed.start();
        let mut vm = testbed.boot(&own);
        vm.configure(&[comes]);
        let [v4, v6] = testbed.peer(&comes).guest_link.ips();
        assert_silent(&mut vm, v4);

        // A connection on another subport continues.
        echo(&mut vm);
        let steady = connect(testbed.peer(&stays), stays.ips()[0]);
        while_echoed(steady, || {
            testbed.files.nb(&["add-subport", &parent.port(), &comes.port(), "400"], "");
            testbed.daemon().wait_until_up("subports", 3);
            for ip in [v4, v6] {
                ping(&mut vm, ip);
            }
            testbed.files.nb(&["del-subport", &parent.port(), &goes.port()], "");
            testbed.daemon().wait_until_up("subports", 2);
            for ip in testbed.peer(&goes).guest_link.ips() {
                assert_silent(&mut vm, ip);
            }
        });
        converse_on_all(testbed, &mut vm, &[parent, stays, comes]);
    });
}

/// Runs `work` while everything sent on `stream` is echoed.
fn while_echoed(mut stream: TcpStream, work: impl FnOnce()) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (end, ended) = channel::<()>();
    thread::scope(|scope| {
        let echoed = scope.spawn(move || {
            let mut number = 0_u64;
            while ended.try_recv() == Err(TryRecvError::Empty) {
                stream.write_all(&number.to_be_bytes()).unwrap();
                let mut came = [0; 8];
                stream.read_exact(&mut came).unwrap();
                assert_eq!(u64::from_be_bytes(came), number);
                number += 1;
            }
            number
        });
        work();
        drop(end);
        assert!(echoed.join().unwrap() > 0, "no bytes were echoed");
    });
}

#[test]
fn a_vm_works_again_after_a_reboot_and_after_it_was_off() {
    on_testbed(|testbed| {
        let own = trunk_and_subports(testbed);
        testbed.start();
        let mut vm = testbed.boot(&own);
        converse_on_all(testbed, &mut vm, &own[..1]);

        vm.reboot();
        vm.configure(&own);
        converse_on_all(testbed, &mut vm, &own);

        drop(vm);
        testbed.wait_for_peers();
        let mut vm = testbed.boot(&own);
        converse_on_all(testbed, &mut vm, &own);
    });
}
