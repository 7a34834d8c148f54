//! What only an ioctl tells: the queues in use, an offload, and whose a name is at this very moment.

use std::ffi::c_char;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::net::{AddressFamily, SocketType, socket};

use crate::types::IfIndex;

/// `ETHTOOL_GFLAGS` and a bit of its answer, `ETHTOOL_GCHANNELS` (`linux/ethtool.h`).
const GET_FLAGS: u32 = 0x25;
const GET_CHANNELS: u32 = 0x3c;
const FLAG_LRO: u32 = 1 << 15;

/// Queues in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueCounts {
    /// RX queues: each needs a socket.
    pub rx: u16,
    /// TX queues.
    pub tx: u16,
}

/// The queues that a device uses. The count that rtnetlink gives is what was *allocated*: a veth has one for
/// each CPU and uses one. `None` when neither ethtool nor sysfs knows.
#[must_use]
pub fn queue_counts(device: &str, ifindex: IfIndex) -> Option<QueueCounts> {
    match ask::<9>(device, GET_CHANNELS) {
        // struct ethtool_channels: cmd, four maxima, then rx, tx, other and combined. A tap says 0 while no VM
        // holds it, but there is never less than one of each.
        Ok([_, _, _, _, _, rx, tx, _, combined]) => Some(QueueCounts {
            rx: u16::try_from((rx + combined).max(1)).ok()?,
            tx: u16::try_from((tx + combined).max(1)).ok()?,
        }),
        Err(_) => queues_in_sysfs(device, ifindex),
    }
}

/// The index of the device that is called `device` now.
#[must_use]
pub fn ifindex_of(device: &str) -> Option<IfIndex> {
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).ok()?;
    rustix::net::netdevice::name_to_index(socket, device).ok().and_then(IfIndex::new)
}

/// Whether our namespace has a device with this index.
#[must_use]
pub fn link_exists(ifindex: IfIndex) -> bool {
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None);
    // Without a socket nothing is known: a device that was there is taken to be there still.
    socket.map_or(true, |socket| rustix::net::netdevice::index_to_name(socket, ifindex.get()).is_ok())
}

/// sysfs shows the namespace that it was mounted in, which need not be ours: the index has to fit too.
fn queues_in_sysfs(device: &str, ifindex: IfIndex) -> Option<QueueCounts> {
    let folder = Path::new("/sys/class/net").join(device);
    if fs::read_to_string(folder.join("ifindex")).ok()?.trim_end() != ifindex.to_string() {
        return None;
    }
    let mut counts = QueueCounts { rx: 0, tx: 0 };
    for queue in fs::read_dir(folder.join("queues")).ok()?.flatten() {
        match queue.file_name().as_encoded_bytes() {
            [b'r', b'x', b'-', ..] => counts.rx += 1,
            [b't', b'x', b'-', ..] => counts.tx += 1,
            _ => {}
        }
    }
    (counts.rx > 0).then_some(counts)
}

/// Whether a device merges what it receives (`large-receive-offload`): merged frames fit no buffer, and most
/// drivers refuse XDP with it.
///
/// # Errors
/// The kernel's refusal; `ENODEV` when the device is gone.
pub fn has_large_receive_offload(device: &str) -> io::Result<bool> {
    let [_, flags] = ask::<2>(device, GET_FLAGS)?;
    Ok(flags & FLAG_LRO != 0)
}

/// Asks a question whose answer is `N` words, the first of them the question itself.
fn ask<const N: usize>(device: &str, question: u32) -> io::Result<[u32; N]> {
    let mut words = [0; N];
    words[0] = question;
    // SAFETY: the kernel writes the struct of the question: two words for GET_FLAGS (ethtool_value), nine for GET_CHANNELS
    // (ethtool_channels), which is what the two callers ask with.
    unsafe { ask_into(device, &mut words) }?;
    Ok(words)
}

/// Asks the question in the first of `words`, and has the answer written over all of them.
///
/// # Safety
/// `words` must have room for the answer to their question.
pub(super) unsafe fn ask_into(device: &str, words: &mut [u32]) -> io::Result<()> {
    // SAFETY: all bytes zero is a value of this struct of integers, pointers and unions of them.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if device.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(device.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_data = words.as_mut_ptr().cast();
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    // SAFETY: `request` has a terminated name and points at `words`, and both outlive the call. The kernel writes the answer,
    // for which the caller has made room.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_an_error() {
        let error = has_large_receive_offload("no-such-device").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        assert_eq!(
            has_large_receive_offload("a-name-too-long-by-far").unwrap_err().raw_os_error(),
            Some(libc::ENODEV)
        );
        assert_eq!(ifindex_of("no-such-device"), None);
        assert_eq!(queue_counts("no-such-device", IfIndex::new(1).unwrap()), None);
    }

    #[test]
    fn the_loopback_has_a_queue_and_merges_nothing() {
        assert_eq!(ifindex_of("lo"), IfIndex::new(1));
        assert!(link_exists(IfIndex::new(1).unwrap()) && !link_exists(IfIndex::new(u32::MAX >> 1).unwrap()));
        assert_eq!(queue_counts("lo", IfIndex::new(1).unwrap()), Some(QueueCounts { rx: 1, tx: 1 }));
        assert!(!has_large_receive_offload("lo").unwrap());
    }
}
