//! Senders and captures of whole frames on a link.

use std::io::{BufRead as _, BufReader, Read};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use nix::ifaddrs::getifaddrs;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, send, socket};
use nix::unistd::Pid;

use crate::netns::Netns;
use crate::wait::PATIENCE;

/// Sends frames unchanged on a link, by a packet socket.
#[derive(Debug)]
pub struct Sender {
    socket: OwnedFd,
}

impl Sender {
    /// A sender on the link `dev` in `netns`.
    pub fn new(netns: &Netns, dev: &str) -> Self {
        let socket = netns.enter(|| {
            let protocol = SockProtocol::EthAll;
            let socket =
                socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).unwrap();
            let link = getifaddrs()
                .unwrap()
                .filter(|entry| entry.interface_name == dev)
                .find_map(|entry| entry.address?.as_link_addr().copied())
                .unwrap_or_else(|| panic!("no link {dev} in {}", netns.name()));
            bind(socket.as_raw_fd(), &link).unwrap();
            socket
        });
        Self { socket }
    }

    pub fn send(&self, frame: &[u8]) {
        let sent = self.try_send(frame);
        assert_eq!(sent, Ok(frame.len()), "a frame of {} bytes sent", frame.len());
    }

    /// Sends a frame if the link has room for it. Returns whether it did.
    pub fn offer(&self, frame: &[u8]) -> bool {
        self.try_send(frame).is_ok()
    }

    fn try_send(&self, frame: &[u8]) -> nix::Result<usize> {
        send(self.socket.as_raw_fd(), frame, MsgFlags::empty())
    }
}

/// Longest frame of a testbed in bytes, and the room that each frame takes: 32 MiB hold 8000 of a page each,
/// but only 500 of any length, too few for a TCP connection while tcpdump waits for a CPU.
const LONGEST: &str = "4096";

/// Size of the header of a pcap stream in bytes.
const PCAP_HEADER: usize = 24;

/// Frames that arrive on a link after [`Capture::start`]. The kernel removes the outer tag before a socket
/// receives a frame; tcpdump restores it.
#[derive(Debug)]
pub struct Capture {
    tcpdump: Child,
    frames: Receiver<Vec<u8>>,
    arrived: Arc<AtomicU64>,
    errors: BufReader<std::process::ChildStderr>,
}

impl Capture {
    /// Starts a capture on `dev` in `netns`. Returns when it misses no further frame.
    pub fn start(netns: &Netns, dev: &str) -> Self {
        let mut tcpdump = netns
            .command("tcpdump")
            .args(["-i", dev, "-Q", "in", "--immediate-mode", "-U", "-s", LONGEST, "-B", "32768"])
            .args(["-Z", "root", "-w", "-"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut errors = BufReader::new(tcpdump.stderr.take().unwrap());
        let mut printed = String::new();
        while !printed.contains("listening on") {
            assert_ne!(errors.read_line(&mut printed).unwrap(), 0, "tcpdump ended: {printed}");
        }

        let (to_test, frames) = channel();
        let arrived = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&arrived);
        let mut pcap = BufReader::new(tcpdump.stdout.take().unwrap());
        std::thread::spawn(move || {
            pcap.read_exact(&mut [0; PCAP_HEADER]).unwrap();
            // The test may end before the capture does.
            while let Some(frame) = next_frame(&mut pcap)
                && to_test.send(frame).is_ok()
            {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { tcpdump, frames, arrived, errors }
    }

    /// Counter of frames that have arrived; it continues to count.
    pub fn arrived(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.arrived)
    }

    /// All frames up to the first one that `is_last` accepts.
    ///
    /// # Panics
    ///
    /// If none comes within [`PATIENCE`], with those that came.
    pub fn through(&self, mut is_last: impl FnMut(&[u8]) -> bool) -> Vec<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        let mut frames = vec![];
        loop {
            match self.frames.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(frame) => frames.push(frame),
                Err(RecvTimeoutError::Timeout) => panic!("the last frame never came, only {frames:02x?}"),
                Err(RecvTimeoutError::Disconnected) => panic!("tcpdump died after {frames:02x?}"),
            }
            if is_last(frames.last().unwrap()) {
                return frames;
            }
        }
    }

    /// Discards the frames that arrived so far.
    pub fn forget(&self) {
        self.frames.try_iter().for_each(drop);
    }

    /// Stops it, and asserts that the kernel dropped no frame for lack of room.
    pub fn stop(self) {
        drop(self.end());
    }

    /// Stops it, and asserts that no frame came.
    pub fn stop_silent(self) {
        let printed = self.end();
        assert!(printed.lines().any(|line| line == "0 packets captured"), "frames came: {printed}");
    }

    fn end(mut self) -> String {
        kill(self.pid(), Signal::SIGINT).unwrap();
        let mut printed = String::new();
        self.errors.read_to_string(&mut printed).unwrap();
        assert!(printed.contains("\n0 packets dropped by kernel"), "tcpdump: {printed}");
        printed
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.tcpdump.id().cast_signed())
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // It may have exited already, and a drop must not panic.
        drop(self.tcpdump.kill());
        drop(self.tcpdump.wait());
    }
}

/// Reads a frame of a pcap stream. It follows a header of 16 bytes, whose third 32-bit word is its length in
/// the byte order of this machine (`pcap-savefile(5)`).
fn next_frame(pcap: &mut impl Read) -> Option<Vec<u8>> {
    let mut header = [0; 16];
    pcap.read_exact(&mut header).ok()?;
    let length = u32::from_ne_bytes(header[8..12].try_into().unwrap());
    let mut frame = vec![0; usize::try_from(length).unwrap()];
    pcap.read_exact(&mut frame).ok()?;
    Some(frame)
}
