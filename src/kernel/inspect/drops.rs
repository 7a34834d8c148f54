//! Frames that links drop on transmission.

use std::collections::BTreeMap;
use std::{fs, io};

/// Frames that each link of this network namespace dropped on transmission, by link name: mostly for want of
/// room at the receiver. The kernel takes such a frame off a TX ring as if it were transmitted.
///
/// # Errors
/// When `/proc/thread-self/net/dev` cannot be read.
pub fn transmit_drops() -> io::Result<BTreeMap<String, u64>> {
    // sysfs would show the namespace that it was mounted in.
    let table = fs::read_to_string("/proc/thread-self/net/dev")?;
    Ok(table.lines().filter_map(parse_link).collect())
}

/// Parses `NAME: `, eight counters of reception, and those of transmission: bytes, packets, errors, drops,
/// ... (`dev_seq_printf_stats`).
fn parse_link(line: &str) -> Option<(String, u64)> {
    let (name, counters) = line.rsplit_once(':')?;
    Some((name.trim_start().to_owned(), counters.split_ascii_whitespace().nth(11)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_of_a_link_are_read() {
        let line = "  tap0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
        assert_eq!(parse_link(line), Some(("tap0".to_owned(), 12)));
        assert_eq!(parse_link("Inter-|   Receive  |  Transmit"), None);
        assert_eq!(parse_link(" face |bytes packets errs drop fifo frame compressed multicast|bytes"), None);
        assert!(transmit_drops().unwrap().contains_key("lo"));
    }
}
