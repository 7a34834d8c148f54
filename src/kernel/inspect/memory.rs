//! Limits of the memory of this process.

use std::fs;
use std::path::{Path, PathBuf};

/// A memory limit of a control group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryLimit {
    /// The control file that holds the limit.
    pub file: PathBuf,
    /// The limit in bytes.
    pub bytes: u64,
}

/// The lowest memory limit of the control groups that this process is in, of version 1 and 2; `None` without
/// one.
#[must_use]
pub fn memory_limit() -> Option<MemoryLimit> {
    limit_below(Path::new("/sys/fs/cgroup"), &fs::read_to_string("/proc/self/cgroup").ok()?)
}

/// Bytes of huge pages that are reserved and free. The memory controller of control groups does not count
/// them.
#[must_use]
pub fn free_huge_pages() -> u64 {
    let meminfo = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let field = |name: &str| -> Option<u64> {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let kib = field("HugePages_Free:").zip(field("Hugepagesize:")).map_or(0, |(pages, kib)| pages * kib);
    kib * 1024
}

/// `groups` has a line for each hierarchy, `NUMBER:CONTROLLERS:PATH`; version 2 has no controllers
/// (cgroups(7)).
fn limit_below(root: &Path, groups: &str) -> Option<MemoryLimit> {
    let limits = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?.trim_start_matches('/'));
        let (top, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => return None,
        };
        let group = top.join(path);
        let groups = group.ancestors().take_while(|group| group.starts_with(&top));
        let limits = groups.filter_map(|group| {
            let file = group.join(file);
            // "max" is no limit.
            let bytes = fs::read_to_string(&file).ok()?.trim().parse().ok()?;
            Some(MemoryLimit { file, bytes })
        });
        limits.min_by_key(|limit| limit.bytes)
    });
    limits.min_by_key(|limit| limit.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn the_lowest_limit_of_all_ancestors_counts() {
        let root = root(&[
            ("a/memory.max", "100000\n"),
            ("a/b/memory.max", "max\n"),
            ("a/b/c/memory.max", "200000\n"),
            ("memory/x/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/x/y/memory.limit_in_bytes", "50000\n"),
        ]);
        let limit = |groups: &str| limit_below(root.path(), groups).map(|limit| limit.bytes);
        assert_eq!(limit("0::/a/b/c\n"), Some(100_000));
        assert_eq!(limit("3:cpu,memory:/x/y\n1:name=systemd:/a\n"), Some(50_000));
        assert_eq!(limit("3:memory:/x/y\n0::/a\n"), Some(50_000));
        assert_eq!(limit("0::/\n"), None);
        assert_eq!(limit("1:cpu:/a\n"), None);
    }
}
