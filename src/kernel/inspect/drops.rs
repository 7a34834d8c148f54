//! What devices drop of what is sent by them.

use std::collections::BTreeMap;
use std::{fs, io};

/// The frames that each device of our namespace dropped on their way out, by its name: those that its receiver left no
/// room for, above all. The kernel takes such a frame from a TX ring as if it were sent.
///
/// # Errors
/// When the kernel does not tell.
pub fn transmit_drops() -> io::Result<BTreeMap<String, u64>> {
    // sysfs would show the namespace that it was mounted in.
    let table = fs::read_to_string("/proc/thread-self/net/dev")?;
    Ok(table.lines().filter_map(device).collect())
}

/// `NAME: ` and eight counters of reception, then those of transmission: bytes, packets, errors, drops, ...
/// (`dev_seq_printf_stats`).
fn device(line: &str) -> Option<(String, u64)> {
    let (name, counters) = line.rsplit_once(':')?;
    Some((name.trim_start().to_owned(), counters.split_ascii_whitespace().nth(11)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_of_a_device_are_read() {
        let line = "  tap0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16";
        assert_eq!(device(line), Some(("tap0".to_owned(), 12)));
        assert_eq!(device("Inter-|   Receive  |  Transmit"), None);
        assert_eq!(device(" face |bytes packets errs drop fifo frame compressed multicast|bytes"), None);
        assert!(transmit_drops().unwrap().contains_key("lo"));
    }
}
