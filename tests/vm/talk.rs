//! Traffic between VMs and namespaces: pings, and numbers over TCP, in which a shifted or missing byte shows.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::machine::Vm;
use super::testbed::{GuestLink, Peer};
use testkit::wait::{PATIENCE, until};

/// The data has the numbers from 1 to this one, a line each, as `seq` prints them: 1.3 MB.
pub const LAST_NUMBER: u32 = 200_000;

const PORT: u16 = 5000;

/// Receives into a file while the data is sent, and compares.
const EXCHANGE: &str = "</tmp/data >/tmp/received && cmp /tmp/data /tmp/received";

/// The numbers from 1 to `last`, as `seq` prints them.
pub fn numbers(last: u32) -> Vec<u8> {
    (1..=last).flat_map(|number| format!("{number}\n").into_bytes()).collect()
}

/// Asserts that `ip` answers pings of `vm`.
pub fn ping(vm: &mut Vm, ip: IpAddr) {
    // Several attempts: the first ping is lost while the VM waits for the address of a neighbour that was
    // absent.
    let once = format!("ping -c 1 -W 2 {ip}");
    vm.run(&format!("{once} || {once} || {once} || {once} || {once}"));
}

/// Asserts that `ip` does not answer pings of `vm`.
pub fn assert_silent(vm: &mut Vm, ip: IpAddr) {
    assert!(!vm.succeeds(&format!("ping -c 2 -W 1 {ip}")), "{ip} answers");
}

/// Pings from `vm`, by its link `own`, to `peer`, and exchanges data over TCP, with each side as the
/// client. IPv4 and IPv6.
pub fn converse(vm: &mut Vm, own: &GuestLink, peer: &Peer) {
    for (here, there) in own.ips().into_iter().zip(peer.guest_link.ips()) {
        ping(vm, there);
        call(vm, peer, there);
        answer(vm, here, peer);
    }
}

/// Exchanges data with `vm` as the client of `peer` at `ip`.
fn call(vm: &mut Vm, peer: &Peer, ip: IpAddr) {
    let listener = peer.netns.enter(|| TcpListener::bind((ip, 0)).unwrap());
    let port = listener.local_addr().unwrap().port();
    thread::scope(|scope| {
        scope.spawn(|| exchange(accept(&listener)));
        vm.run(&format!("nc {ip} {port} {EXCHANGE}"));
    });
}

/// Accepts the first connection within the time limit.
pub fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let stream = until("a VM to call", || Some(listener.accept().ok()?.0));
    stream.set_nonblocking(false).unwrap();
    stream
}

/// Exchanges data with `vm` at `ip` as the server of `peer`.
fn answer(vm: &mut Vm, ip: IpAddr, peer: &Peer) {
    thread::scope(|scope| {
        scope.spawn(|| exchange(connect(peer, ip)));
        vm.run(&format!("nc -l -p {PORT} {EXCHANGE}"));
    });
}

/// Connects from `peer` to the VM with the address `ip`, when it listens.
pub fn connect(peer: &Peer, ip: IpAddr) -> TcpStream {
    let address = SocketAddr::new(ip, PORT);
    until("a VM to listen", || peer.netns.enter(|| TcpStream::connect_timeout(&address, PATIENCE).ok()))
}

/// Sends the data and receives the same, at the same time.
fn exchange(stream: TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let data = numbers(LAST_NUMBER);
    let (mut reader, mut writer) = (stream.try_clone().unwrap(), stream);
    thread::scope(|scope| {
        scope.spawn(|| {
            writer.write_all(&data).unwrap();
            writer.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut received = vec![];
        reader.read_to_end(&mut received).unwrap();
        assert!(
            received == data,
            "the VM sent {} bytes, others than the {} expected",
            received.len(),
            data.len()
        );
    });
}

/// Exchanges data between two VMs: `client` connects to `server` at the addresses of `guest_link`.
pub fn converse_of_vms(client: &mut Vm, (server, guest_link): (&mut Vm, &GuestLink)) {
    for ip in guest_link.ips() {
        ping(client, ip);
        thread::scope(|scope| {
            scope.spawn(|| server.run(&format!("nc -l -p {PORT} {EXCHANGE}")));
            // Refused until the server listens.
            client.run(&format!("until nc {ip} {PORT} </tmp/data >/tmp/received; do usleep 100000; done"));
            client.run("cmp /tmp/data /tmp/received");
        });
    }
}

/// Starts an echo server in `vm`, in the background.
pub fn echo(vm: &mut Vm) {
    vm.run(&format!("nc -l -p {PORT} -e cat &"));
}
