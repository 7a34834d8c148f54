//! CPU lists as `taskset -c` and the kernel write them: `1-3,6`.

use std::ops::RangeInclusive;

use rustix::thread::{CpuSet, sched_getaffinity};

/// A text that is no list of CPUs which this process may use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CpusError {
    /// A part that is neither a number nor a range.
    #[error("{0:?} is neither a CPU number nor a range: expected a list as in 1-3,6")]
    NoNumber(String),
    /// A CPU that is in the list twice.
    #[error("CPU {0} is named twice: each worker needs a CPU of its own")]
    Twice(usize),
    /// A CPU that does not exist, or that is not in the affinity mask or the cgroup of this process.
    #[error("CPU {cpu} is not allowed for this process: allowed are {allowed}")]
    NotAllowed {
        /// The number from the list.
        cpu: usize,
        /// All allowed CPUs, separated by commas.
        allowed: String,
    },
    /// The affinity mask cannot be read.
    #[error("cannot read which CPUs are allowed: {0}")]
    Unknown(rustix::io::Errno),
}

/// Parses a list of CPUs that this process may use.
pub(super) fn parse(text: &str) -> Result<Vec<usize>, CpusError> {
    parse_allowed(text, &allowed()?)
}

/// The last CPU that this process may use: interrupts and other processes tend to use the first.
pub(super) fn last_allowed() -> Result<usize, CpusError> {
    Ok(allowed()?.last().copied().unwrap_or(0))
}

fn allowed() -> Result<Vec<usize>, CpusError> {
    let mask = sched_getaffinity(None).map_err(CpusError::Unknown)?;
    Ok((0..CpuSet::MAX_CPU).filter(|cpu| mask.is_set(*cpu)).collect())
}

fn parse_allowed(text: &str, allowed: &[usize]) -> Result<Vec<usize>, CpusError> {
    let mut cpus = Vec::new();
    for part in text.split(',').map(str::trim) {
        // Checked one by one, so that 0-9999999999 stops at its first CPU that is not allowed.
        for cpu in parse_range(part).ok_or_else(|| CpusError::NoNumber(part.to_owned()))? {
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

fn parse_range(part: &str) -> Option<RangeInclusive<usize>> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: [usize; 5] = [0, 1, 2, 3, 6];

    #[test]
    fn numbers_and_ranges_are_parsed() {
        assert_eq!(parse_allowed("1-3,6", &ALLOWED), Ok(vec![1, 2, 3, 6]));
        assert_eq!(parse_allowed(" 6, 0", &ALLOWED), Ok(vec![6, 0]));
    }

    #[test]
    fn errors_name_the_value() {
        for bad in ["", "1,", "x", "3-1", "-1", "1-", "1-2-3"] {
            let error = parse_allowed(bad, &ALLOWED);
            assert!(matches!(error, Err(CpusError::NoNumber(_))), "{bad:?}: {error:?}");
        }
        assert_eq!(parse_allowed("1-2,2", &ALLOWED), Err(CpusError::Twice(2)));
        let not_allowed = parse_allowed("0-9999999999", &ALLOWED).unwrap_err();
        assert_eq!(not_allowed.to_string(), "CPU 4 is not allowed for this process: allowed are 0,1,2,3,6");
    }

    #[test]
    fn the_default_is_a_cpu_that_is_allowed() {
        let last = last_allowed().unwrap();
        assert_eq!(parse(&last.to_string()), Ok(vec![last]));
    }
}
