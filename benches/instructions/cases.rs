//! Cases whose instructions are counted.

use std::hint::black_box;

use trunkpath::datapath::State;
use trunkpath::tables::{Publisher, Reader};
use trunkpath::xsk::Arena;

use testkit::bench::burst::{Burst, Kind, Maker};
use testkit::bench::scenario::{Guard, SizedScenario, Traffic};
use testkit::bench::step::{CLASSIFY, LOCATE, PIPELINE, Step, TO_PORT};

/// Number of frames of a case.
pub const FRAMES: usize = 16 * BURST;
const BURST: usize = 64;

pub struct Case {
    step: Step,
    traffic: Traffic,
    tables: Size,
}

#[derive(Clone, Copy)]
enum Size {
    Segmentations(usize),
    /// The same, and another host with ports of their networks.
    WithHost(usize),
    /// The same, and what checks the frames of subports.
    Guarded(usize, Guard),
    /// About 1,000 segmentations; a broadcast has this many receivers.
    Receivers(usize),
}

/// 10,000 segmentations and not 100,000: the instructions differ only by collisions in a hash table, and
/// callgrind would take minutes to compile the tables.
pub const CASES: [Case; 15] = [
    case(PIPELINE, Traffic::Hit, Size::Segmentations(1)),
    case(PIPELINE, Traffic::Hit, Size::Segmentations(1_000)),
    case(PIPELINE, Traffic::Unknown, Size::Segmentations(1_000)),
    case(PIPELINE, Traffic::Parents, Size::Segmentations(1_000)),
    case(CLASSIFY, Traffic::Hit, Size::Segmentations(1_000)),
    case(LOCATE, Traffic::Hit, Size::Segmentations(1_000)),
    case(TO_PORT, Traffic::Hit, Size::Segmentations(1_000)),
    case(PIPELINE, Traffic::Hit, Size::Segmentations(10_000)),
    case(PIPELINE, Traffic::ToHost, Size::WithHost(1_000)),
    case(PIPELINE, Traffic::FromHost, Size::WithHost(1_000)),
    case(PIPELINE, CONNECTIONS, Size::Guarded(1_000, Guard::Nothing)),
    case(PIPELINE, CONNECTIONS, Size::Guarded(1_000, Guard::Sources)),
    case(PIPELINE, CONNECTIONS, Size::Guarded(1_000, Guard::Groups(100))),
    case(PIPELINE, Traffic::Flood, Size::Receivers(2)),
    case(PIPELINE, Traffic::Flood, Size::Receivers(32)),
];

/// Enough that most are not those of the frame before, and few enough to begin them under callgrind.
const CONNECTIONS: Traffic = Traffic::Connections(1_000);

const fn case(step: Step, traffic: Traffic, tables: Size) -> Case {
    Case { step, traffic, tables }
}

impl Case {
    /// `<step>/<traffic>/<frames in a burst>/<segmentations in the tables>`, as in `benches/datapath`.
    pub fn name(&self) -> String {
        let (step, traffic) = (self.step.name, self.traffic.name());
        match self.tables {
            Size::Segmentations(segmentations) | Size::WithHost(segmentations) => {
                format!("{step}/{traffic}/{BURST}/{segmentations}")
            }
            Size::Guarded(segmentations, guard) => {
                format!("{step}/{traffic}_{}/{BURST}/{segmentations}", guard.name())
            }
            Size::Receivers(receivers) => format!("{step}/{traffic}{receivers}/{BURST}/1000"),
        }
    }

    /// Runs the case in one call of [`counted`].
    pub fn run(&self) {
        let (scenario, publisher) = self.tables.make();
        let (tables, mut reader) = (publisher.current(), publisher.reader());
        let copies = BURST * self.tables.copies();
        let kind = Kind { stage: self.step.stage, traffic: self.traffic, frames: BURST, copies };
        let arena = Arena::heap(FRAMES / BURST * kind.all_frames()).unwrap();
        let mut maker = Maker::new(&scenario, &tables, arena, kind);
        let mut state = maker.state();
        let mut bursts: Vec<_> = (0..FRAMES / BURST).map(|_| maker.make()).collect();
        counted(self.step, &mut reader, &mut state, black_box(&mut bursts));
        bursts.iter().for_each(Burst::check);
    }
}

impl Size {
    fn make(self) -> (SizedScenario, Publisher) {
        let (scenario, tables) = match self {
            Self::Segmentations(segmentations) => SizedScenario::new(segmentations),
            Self::WithHost(segmentations) => SizedScenario::with_host(segmentations),
            Self::Guarded(segmentations, guard) => SizedScenario::guarded(segmentations, guard),
            Self::Receivers(receivers) => SizedScenario::for_floods(receivers),
        };
        (scenario, Publisher::new(tables))
    }

    /// Copies that each broadcast needs.
    const fn copies(self) -> usize {
        match self {
            Self::Segmentations(_) | Self::WithHost(_) | Self::Guarded(..) => 0,
            Self::Receivers(receivers) => receivers - 1,
        }
    }
}

/// Callgrind counts inside the function of this name.
#[inline(never)]
fn counted(step: Step, tables: &mut Reader, state: &mut State, bursts: &mut [Burst]) {
    for burst in bursts {
        (step.run)(tables, state, burst);
    }
}
