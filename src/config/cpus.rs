//! CPU lists as `taskset -c` and the kernel write them: `1-3,6`.

use std::ops::RangeInclusive;

use rustix::thread::{CpuSet, sched_getaffinity};

/// A text that is no list of CPUs for us.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CpusError {
    /// A part that is neither a number nor a range.
    #[error("{0:?} is neither a CPU number nor a range: expected something like 1-3,6")]
    NoNumber(String),
    /// A CPU for two workers.
    #[error("CPU {0} is named twice: each worker needs a CPU of its own")]
    Twice(usize),
    /// A CPU that does not exist, or that our affinity mask or cgroup withholds.
    #[error("CPU {cpu} is not ours to use: allowed are {allowed}")]
    NotAllowed {
        /// The CPU.
        cpu: usize,
        /// The CPUs that we may use.
        allowed: String,
    },
    /// The affinity mask cannot be read.
    #[error("cannot read which CPUs are allowed: {0}")]
    Unknown(rustix::io::Errno),
}

/// Reads a list and checks it against the CPUs that this process may use.
pub(super) fn read(text: &str) -> Result<Vec<usize>, CpusError> {
    check(text, &allowed()?)
}

/// The last CPU that this process may use: interrupts and everything else prefer the first.
pub(super) fn last_allowed() -> Result<usize, CpusError> {
    Ok(allowed()?.last().copied().unwrap_or(0))
}

fn allowed() -> Result<Vec<usize>, CpusError> {
    let mask = sched_getaffinity(None).map_err(CpusError::Unknown)?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| mask.is_set(*cpu)).collect())
}

fn check(text: &str, allowed: &[usize]) -> Result<Vec<usize>, CpusError> {
    let mut cpus = Vec::new();
    for part in text.split(',').map(str::trim) {
        // Checked one by one, so that 0-9999999999 ends at its first CPU that is not ours.
        for cpu in range(part).ok_or_else(|| CpusError::NoNumber(part.to_owned()))? {
            if !allowed.contains(&cpu) {
                let allowed = allowed.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
                return Err(CpusError::NotAllowed { cpu, allowed });
            }
            if cpus.contains(&cpu) {
                return Err(CpusError::Twice(cpu));
            }
            cpus.push(cpu);
        }
    }
    Ok(cpus)
}

fn range(part: &str) -> Option<RangeInclusive<usize>> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: [usize; 5] = [0, 1, 2, 3, 6];

    #[test]
    fn numbers_and_ranges_are_read() {
        assert_eq!(check("1-3,6", &ALLOWED), Ok(vec![1, 2, 3, 6]));
        assert_eq!(check(" 6, 0", &ALLOWED), Ok(vec![6, 0]));
    }

    #[test]
    fn errors_name_the_value() {
        for bad in ["", "1,", "x", "3-1", "-1", "1-", "1-2-3"] {
            let error = check(bad, &ALLOWED);
            assert!(matches!(error, Err(CpusError::NoNumber(_))), "{bad:?}: {error:?}");
        }
        assert_eq!(check("1-2,2", &ALLOWED), Err(CpusError::Twice(2)));
        let not_allowed = check("0-9999999999", &ALLOWED).unwrap_err();
        assert_eq!(not_allowed.to_string(), "CPU 4 is not ours to use: allowed are 0,1,2,3,6");
    }

    #[test]
    fn the_default_is_a_cpu_that_is_allowed() {
        let last = last_allowed().unwrap();
        assert_eq!(read(&last.to_string()), Ok(vec![last]));
    }
}
