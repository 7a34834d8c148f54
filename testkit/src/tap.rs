//! Taps with a process at the other end.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use crate::netns::Netns;

/// Opens the tap with this name as a VM's process does, and never reads from it. (`TUNSETIFF` in
/// `linux/if_tun.h`.)
const HANG: &str = "
import fcntl, signal, struct, sys
IFF_TAP, IFF_NO_PI, TUNSETIFF = 0x2, 0x1000, 0x400454ca
tap = open('/dev/net/tun', 'r+b', buffering=0)
fcntl.ioctl(tap, TUNSETIFF, struct.pack('16sH22x', sys.argv[1].encode(), IFF_TAP | IFF_NO_PI))
print('open', flush=True)
signal.pause()
";

/// A tap that a process holds open; deleted when dropped.
#[derive(Debug)]
pub struct Tap {
    holder: Child,
}

impl Tap {
    /// A tap in `netns` with this alias, up, whose guest reads nothing.
    pub fn of_a_guest_that_hangs(netns: &Netns, dev: &str, alias: &str) -> Self {
        let mut holder =
            netns.command("python3").args(["-c", HANG, dev]).stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut printed).unwrap();
        let tap = Self { holder };
        assert_eq!(printed, "open\n", "the tap {dev}");
        netns.ip_batch(&[format!("link set dev {dev} alias {alias}"), format!("link set dev {dev} up")]);
        tap
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // It may have exited already, and a drop must not panic.
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}
