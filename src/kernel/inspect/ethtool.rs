//! Queries that need an ioctl: queues in use, an offload, and the present owner of a link name.

use std::ffi::c_char;
use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use rustix::net::{AddressFamily, SocketType, socket};

use crate::types::IfIndex;

// Names in linux/ethtool.h: ETHTOOL_GFLAGS, ETHTOOL_GCHANNELS, ETH_FLAG_LRO.
const GET_FLAGS: u32 = 0x25;
const GET_CHANNELS: u32 = 0x3c;
const FLAG_LRO: u32 = 1 << 15;

/// Numbers of queues that a link uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueCounts {
    /// RX queues, each of which needs a socket.
    pub rx: u16,
    /// TX queues, whether or not a socket uses them.
    pub tx: u16,
}

/// The queues that a link uses. rtnetlink reports how many were *allocated*: a veth has one for each CPU and
/// uses one. `None` when neither ethtool nor sysfs has the number.
#[must_use]
pub fn queue_counts(link: &str, ifindex: IfIndex) -> Option<QueueCounts> {
    match query::<9>(link, GET_CHANNELS) {
        // struct ethtool_channels: cmd, four maxima, then rx, tx, other and combined. A tap reports 0 while
        // no VM holds it, but has at least one of each.
        Ok([_, _, _, _, _, rx, tx, _, combined]) => Some(QueueCounts {
            rx: u16::try_from((rx + combined).max(1)).ok()?,
            tx: u16::try_from((tx + combined).max(1)).ok()?,
        }),
        Err(_) => queues_in_sysfs(link, ifindex),
    }
}

/// The index of the link whose name is `link` at present.
#[must_use]
pub fn ifindex_of(link: &str) -> Option<IfIndex> {
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).ok()?;
    rustix::net::netdevice::name_to_index(socket, link).ok().and_then(IfIndex::new)
}

/// The present name of a link; `None` when it does not exist.
#[must_use]
pub fn link_name(ifindex: IfIndex) -> Option<String> {
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).ok()?;
    rustix::net::netdevice::index_to_name(socket, ifindex.get()).ok()
}

/// Whether this network namespace has a link with this index.
#[must_use]
pub fn link_exists(ifindex: IfIndex) -> bool {
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None);
    // Without a socket the state is unknown: a link that existed counts as existing.
    socket.map_or(true, |socket| rustix::net::netdevice::index_to_name(socket, ifindex.get()).is_ok())
}

/// sysfs shows the namespace that it was mounted in, which may be another one: the index must match as well.
fn queues_in_sysfs(link: &str, ifindex: IfIndex) -> Option<QueueCounts> {
    let folder = Path::new("/sys/class/net").join(link);
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

/// Whether a link merges received frames (`large-receive-offload`): merged frames fit no chunk, and most
/// drivers reject XDP with it.
///
/// # Errors
/// The error of the kernel; `ENODEV` when the link does not exist.
pub fn has_large_receive_offload(link: &str) -> io::Result<bool> {
    let [_, flags] = query::<2>(link, GET_FLAGS)?;
    Ok(flags & FLAG_LRO != 0)
}

/// Runs an ethtool command whose struct has `N` words, the first of them the command itself.
fn query<const N: usize>(link: &str, command: u32) -> io::Result<[u32; N]> {
    let mut words = [0; N];
    words[0] = command;
    // SAFETY: the kernel writes the struct of the command: two words for GET_FLAGS (ethtool_value), nine for
    // GET_CHANNELS (ethtool_channels), as the two callers pass them.
    unsafe { query_into(link, &mut words) }?;
    Ok(words)
}

/// Runs the ethtool command in the first of `words`. The kernel overwrites `words` with the result.
///
/// # Safety
/// `words` must have room for the result of the command.
pub(in crate::kernel) unsafe fn query_into(link: &str, words: &mut [u32]) -> io::Result<()> {
    // SAFETY: all bytes zero is a value of this struct of integers, pointers and unions of them.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if link.len() >= request.ifr_name.len() {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(link.bytes()) {
        *to = c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_data = words.as_mut_ptr().cast();
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    // SAFETY: `request` has a terminated name and points at `words`, and both outlive the call. The kernel
    // writes the result, for which the caller has made room.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_does_not_exist_is_an_error() {
        let error = has_large_receive_offload("no-such-link").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        assert_eq!(
            has_large_receive_offload("a-name-too-long-by-far").unwrap_err().raw_os_error(),
            Some(libc::ENODEV)
        );
        assert_eq!(ifindex_of("no-such-link"), None);
        assert_eq!(queue_counts("no-such-link", IfIndex::new(1).unwrap()), None);
    }

    #[test]
    fn the_loopback_has_a_queue_and_merges_nothing() {
        assert_eq!(ifindex_of("lo"), IfIndex::new(1));
        assert!(link_exists(IfIndex::new(1).unwrap()) && !link_exists(IfIndex::new(u32::MAX >> 1).unwrap()));
        assert_eq!(queue_counts("lo", IfIndex::new(1).unwrap()), Some(QueueCounts { rx: 1, tx: 1 }));
        assert!(!has_large_receive_offload("lo").unwrap());
    }
}
