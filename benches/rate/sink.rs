//! The far end of the cables: counts of right and wrong frames.

use anyhow::{Context as _, Result};
use libbpf_rs::{MapCore as _, MapFlags, MapHandle, Object};
use std::os::fd::AsFd as _;

use crate::bpf::{self, Hook, Programs, program, set_variables};
use crate::frames::Expected;
use testkit::netns::Netns;

/// Number of lengths in `struct expected` of sink.bpf.c.
const SIZES: usize = 3;

/// A program on one link, which counts all frames and drops them.
#[derive(Debug)]
pub struct Sink {
    object: Object,
    counter: Counter,
}

/// Counter of a sink, for any thread.
#[derive(Debug)]
pub struct Counter {
    map: MapHandle,
}

/// Counts since the sink was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames with the expected length and tag.
    pub right: u64,
    /// Frames of another length.
    pub wrong_length: u64,
    /// Frames with another tag, or without one.
    pub wrong_tag: u64,
    /// Frames that are not the generator's.
    pub foreign: u64,
}

impl Sink {
    /// Attaches a sink to `link`.
    pub fn new(programs: &Programs, netns: &Netns, link: &str, hook: Hook) -> Result<Self> {
        let object = programs.open("sink")?.load().context("loading the sink")?;
        let name = match hook {
            Hook::Xdp => "sink_xdp",
            Hook::Tc => "sink_tc",
        };
        bpf::attach(netns, link, program(&object, name)?.as_fd(), hook)?;
        let map = object.maps().find(|map| map.name() == "counts").context("no map counts")?;
        let counter = Counter { map: MapHandle::try_from(&map)? };
        Ok(Self { object, counter })
    }

    /// Sets the expected frames.
    pub fn expect(&self, expected: &Expected) -> Result<()> {
        let mut numbers = expected.lengths.clone();
        numbers.resize(SIZES, 0);
        numbers.extend([u32::from(expected.first_vid), u32::from(expected.vids)]);
        let bytes: Vec<u8> = numbers.into_iter().flat_map(u32::to_ne_bytes).collect();
        set_variables(&self.object, ".bss", &bytes)
    }

    pub fn counts(&self) -> Result<Counts> {
        self.counter.counts()
    }

    /// Opens the counter for another thread.
    pub fn counter(&self) -> Result<Counter> {
        Ok(Counter { map: MapHandle::try_from(&self.counter.map)? })
    }
}

impl Counter {
    pub fn counts(&self) -> Result<Counts> {
        let cpus =
            self.map.lookup_percpu(&0_u32.to_ne_bytes(), MapFlags::ANY)?.context("no entry in counts")?;
        let mut counts = Counts::default();
        for cpu in cpus {
            let mut numbers = cpu.as_chunks().0.iter().map(|bytes| u64::from_ne_bytes(*bytes));
            counts.right += numbers.by_ref().take(SIZES).sum::<u64>();
            counts.wrong_length += numbers.next().unwrap_or_default();
            counts.wrong_tag += numbers.next().unwrap_or_default();
            counts.foreign += numbers.next().unwrap_or_default();
        }
        Ok(counts)
    }
}
