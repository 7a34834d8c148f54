//! The steps of the pipeline, each over a whole burst.

use std::hint::black_box;

use trunkpath::datapath::{Context, Ingress, State, Target, classify, forward, locate, send};
use trunkpath::tables::Reader;

use super::burst::{Burst, Stage};

/// A step, and the state of frames that it takes.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub name: &'static str,
    pub stage: Stage,
    pub run: fn(&mut Reader, &mut State, &mut Burst),
}

/// Classification, including the removal of the tag.
pub const CLASSIFY: Step = Step { name: "classify", stage: Stage::Received, run: run_classify };
/// Look-up of the receiver of a frame.
pub const LOCATE: Step = Step { name: "locate", stage: Stage::Classified, run: run_locate };
/// The to-port half, with the push of a tag.
pub const TO_PORT: Step = Step { name: "to_port", stage: Stage::Classified, run: run_to_port };
/// The whole pipeline of the datapath.
pub const PIPELINE: Step = Step { name: "pipeline", stage: Stage::Received, run: run_pipeline };

fn run_classify(tables: &mut Reader, state: &mut State, burst: &mut Burst) {
    let Burst { entry, received, end, .. } = burst;
    let mut cx = Context { tables: tables.latest(), state, outlet: end };
    let ingress = Ingress::of(*entry, cx.tables);
    for frame in received {
        black_box(classify(frame, ingress, &mut cx).is_ok());
    }
}

fn run_locate(tables: &mut Reader, state: &mut State, burst: &mut Burst) {
    let Burst { classified, end, .. } = burst;
    let mut cx = Context { tables: tables.latest(), state, outlet: end };
    for (packet, _) in classified {
        black_box(locate(packet, &mut cx).is_ok());
    }
}

fn run_to_port(tables: &mut Reader, state: &mut State, burst: &mut Burst) {
    let Burst { classified, end, .. } = burst;
    let mut cx = Context { tables: tables.latest(), state, outlet: end };
    for (packet, to) in classified.drain(..) {
        if let Some(to) = to {
            send(packet, Target::Port(to), &mut cx);
        }
    }
}

fn run_pipeline(tables: &mut Reader, state: &mut State, burst: &mut Burst) {
    let Burst { entry, received, end, .. } = burst;
    let mut cx = Context { tables: tables.latest(), state, outlet: end };
    forward(received, Ingress::of(*entry, cx.tables), &mut cx);
}
