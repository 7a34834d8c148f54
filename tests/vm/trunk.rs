//! A VLAN-aware VM: its own interface on network 1, VLAN interfaces on others.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{TryRecvError, channel};
use std::thread;

use super::site::{Interface, Site, on_site};
use super::talk::{assert_silent, connect, converse, converse_of_vms, echo, ping};
use super::vm::{Offloads, Vm};
use testkit::wait::PATIENCE;

/// A trunk on network 1 with `eth0.100` and `eth0.200` on networks 2 and 3.
fn trunk_and_subports(site: &mut Site) -> [Interface; 3] {
    let trunk = site.trunk();
    [trunk, site.subport(&trunk, 100, 2), site.subport(&trunk, 200, 3)]
}

fn converse_on_all(site: &Site, vm: &mut Vm, own: &[Interface]) {
    for interface in own {
        converse(vm, interface, site.peer(interface));
    }
}

#[test]
fn a_vm_speaks_on_each_of_its_networks() {
    on_site(|site| {
        let own = trunk_and_subports(site);
        site.start();
        let mut vm = site.boot(&own);
        converse_on_all(site, &mut vm, &own);
    });
}

#[test]
fn two_vms_speak_by_different_vids() {
    on_site(|site| {
        let (one, two) = (site.trunk(), site.trunk());
        let (here, there) = (site.subport(&one, 100, 2), site.subport(&two, 300, 2));
        site.start();
        let mut vms = [&one, &two].map(|trunk| site.power_on(trunk, Offloads::Stock));
        for (vm, own) in vms.iter_mut().zip([[one, here], [two, there]]) {
            vm.wait_until_booted();
            vm.configure(&own);
        }
        site.wait_until_all_up();
        let [a, b] = &mut vms;
        converse_of_vms(a, (b, &there));
        converse_of_vms(b, (a, &here));
        converse_of_vms(a, (b, &two));
    });
}

#[test]
fn a_vm_gets_a_subport_and_loses_one_while_it_runs() {
    on_site(|site| {
        let own = trunk_and_subports(site);
        let [trunk, stays, goes] = own;
        let comes = site.spare_port(400, 4);
        site.start();
        let mut vm = site.boot(&own);
        vm.configure(&[comes]);
        let [v4, v6] = site.peer(&comes).interface.ips();
        assert_silent(&mut vm, v4);

        // What speaks on another subport meanwhile goes on.
        echo(&mut vm);
        let steady = connect(site.peer(&stays), stays.ips()[0]);
        while_echoed(steady, || {
            site.files.nb(&["add-subport", &trunk.port(), &comes.port(), "400"], "");
            site.daemon().wait_until_up("subports", 3);
            for ip in [v4, v6] {
                ping(&mut vm, ip);
            }
            site.files.nb(&["del-subport", &trunk.port(), &goes.port()], "");
            site.daemon().wait_until_up("subports", 2);
            for ip in site.peer(&goes).interface.ips() {
                assert_silent(&mut vm, ip);
            }
        });
        converse_on_all(site, &mut vm, &[trunk, stays, comes]);
    });
}

/// Does `work` while all that is said on `stream` comes back.
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
        assert!(echoed.join().unwrap() > 0, "nothing was said");
    });
}

#[test]
fn a_vm_works_again_after_a_reboot_and_after_it_was_off() {
    on_site(|site| {
        let own = trunk_and_subports(site);
        site.start();
        let mut vm = site.boot(&own);
        converse_on_all(site, &mut vm, &own[..1]);

        vm.reboot();
        vm.configure(&own);
        converse_on_all(site, &mut vm, &own);

        drop(vm);
        site.wait_for_peers();
        let mut vm = site.boot(&own);
        converse_on_all(site, &mut vm, &own);
    });
}
