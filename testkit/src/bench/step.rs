//! The steps of the route, over a whole burst.

use std::hint::black_box;

use trunkpath::datapath::{classify, destination, dispatch, forward};
use trunkpath::tables::Reader;

use super::burst::{Burst, Stage};

/// A step, and what frames have to be like to take it.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub name: &'static str,
    pub stage: Stage,
    pub run: fn(&mut Reader, &mut Burst),
}

/// Whose frame is it? Includes stripping the tag.
pub const CLASSIFY: Step = Step { name: "classify", stage: Stage::Received, run: run_classify };
/// Where does it go?
pub const DESTINATION: Step = Step { name: "destination", stage: Stage::Classified, run: run_destination };
/// How does it get there? Includes pushing a tag.
pub const DISPATCH: Step = Step { name: "dispatch", stage: Stage::Classified, run: run_dispatch };
/// All of the route.
pub const PIPELINE: Step = Step { name: "pipeline", stage: Stage::Received, run: run_pipeline };

fn run_classify(tables: &mut Reader, burst: &mut Burst) {
    let tables = tables.latest();
    for frame in &mut burst.frames {
        black_box(classify(frame, burst.link, tables, 0).is_ok());
    }
}

fn run_destination(tables: &mut Reader, burst: &mut Burst) {
    let tables = tables.latest();
    for (frame, found) in burst.frames.iter().zip(&burst.found) {
        black_box(destination(frame, &found.source, tables).is_ok());
    }
}

fn run_dispatch(tables: &mut Reader, burst: &mut Burst) {
    let tables = tables.latest();
    for (frame, found) in burst.frames.drain(..).zip(&burst.found) {
        if let Some(to) = found.to {
            dispatch(frame, &found.source, to, tables, &mut burst.end);
        }
    }
}

fn run_pipeline(tables: &mut Reader, burst: &mut Burst) {
    let tables = tables.latest();
    forward(burst.frames.drain(..), burst.link, tables, &mut burst.end);
}
