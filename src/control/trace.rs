//! What would become of a frame: the datapath itself, on the tables in force, with an outlet that writes down what it
//! sees, sends nothing and counts nothing.

use super::daemon::Daemon;
use crate::api::Hex;
use crate::api::model::{TraceDrop, TraceOutput, TraceRequest, TraceStep, TraceView};
use crate::datapath::{
    Blame, Burst, Context, Entry, Event, HandedOver, Origin, Outlet, State, Target, forward,
};
use crate::tables::{Exit, PortSlot, WorkerId, Wrap};
use crate::types::QueueId;
use crate::xsk::{Arena, Frame};

/// A worker number that no counters exist for: a trace counts nothing.
const NOBODY: WorkerId = WorkerId::MAX;

/// Sends the frame of `request` through the tables in force, and nowhere else.
pub(super) fn trace(daemon: &Daemon, request: &TraceRequest) -> Result<TraceView, String> {
    let link = daemon.reconciler.ports.values().find(|port| port.lport == request.port).map(|port| port.slot);
    let link = link.ok_or_else(|| {
        format!("port {} has no device here: name a port of `trunkpath show ports` that is up", request.port)
    })?;
    let mut frame = daemon.reconciler.devices.arena.take().ok_or("no free frame to trace with: try again")?;
    let arena = daemon.reconciler.devices.arena;
    frame.clear();
    if !frame.extend([&*request.frame.0], || arena.take()) {
        return Err(format!("no free frames for {} bytes to trace with: try again", request.frame.0.len()));
    }
    let mut witness = Witness { daemon, arena, view: TraceView::default() };
    let tables = daemon.reconciler.publisher.current();
    let mut cx = Context { tables: &tables, state: &mut State::default(), outlet: &mut witness };
    forward(&mut Burst::from_iter([frame]), Entry { link, queue: QueueId(0) }, &mut cx);
    Ok(witness.view)
}

struct Witness<'a> {
    daemon: &'a Daemon,
    arena: &'static Arena,
    view: TraceView,
}

impl Witness<'_> {
    fn step(&mut self, step: &str, what: String) {
        self.view.steps.push(TraceStep { step: step.to_owned(), what });
    }

    fn name_of(&self, blame: Blame) -> String {
        match blame {
            Blame::Port(port) => self.name(port),
            Blame::NoPort => "-".to_owned(),
        }
    }

    /// The id of the port at `slot`.
    fn name(&self, slot: PortSlot) -> String {
        self.daemon.reconciler.compiler.port_at(slot).unwrap_or("?").to_owned()
    }
}

impl Outlet for Witness<'_> {
    fn worker(&self) -> WorkerId {
        NOBODY
    }

    /// A trace goes through both halves, whichever workers take them.
    fn is_own(&self, _worker: WorkerId) -> bool {
        true
    }

    fn allocate(&mut self) -> Option<Frame> {
        self.arena.take()
    }

    /// At any time but 0 a new ration is full: a trace takes no part in rates.
    fn now_ns(&mut self) -> u64 {
        1
    }

    fn hand_over(&mut self, _worker: WorkerId, packet: HandedOver) -> Result<(), HandedOver> {
        Err(packet)
    }

    fn transmit(&mut self, frame: Frame, to: &Exit<'_>) {
        let device = self.daemon.reconciler.ports.values().find(|open| open.slot == to.slot.link);
        let device = device.map_or_else(|| "?".to_owned(), |open| open.device.clone());
        let lport = self.name(to.slot);
        let Wrap::Tags(tags) = &to.port.wrap;
        let pushed = match tags.as_slice() {
            [] => "no tag to push".to_owned(),
            tags => format!(
                "push vlan {}",
                tags.iter().map(ToString::to_string).collect::<Vec<_>>().join(", then ")
            ),
        };
        self.step("dispatch", format!("to port {lport}: {pushed}, leave by {device}"));
        self.view.outputs.push(TraceOutput { device, port: lport, frame: Hex(frame.to_vec()) });
    }

    fn release(&mut self, frame: Frame) {
        drop(frame);
    }

    fn observe(&mut self, event: Event<'_>) {
        match event {
            Event::Classified(facts) => {
                let name = self.name_of(facts.origin.into());
                let pcp = facts.pcp;
                let dei = if pcp.drop_eligible() { ", DEI set" } else { "" };
                self.step("classify", format!("from port {name}, priority {}{dei}", pcp.priority()));
            }
            Event::UnknownTag(port, tag) => {
                let name = self.name(port);
                let has = self.daemon.tags_of(&name).unwrap_or_else(|| "none".to_owned());
                self.step("classify", format!("{tag} is no segmentation of {name} (it has {has})"));
            }
            Event::RefusedMac(port, mac) => {
                let name = self.name(port);
                let may_use = self.daemon.sources_of(&name).unwrap_or_else(|| "any".to_owned());
                self.step("antispoof", format!("{mac} is no address of {name} (it may use {may_use})"));
            }
            Event::ChecksumCompleted => self.step("checksum", "completed the partial checksum".to_owned()),
            Event::Located(_, Target::Port(port)) => {
                let name = self.name(port);
                self.step("locate", format!("to port {name}"));
            }
            Event::Located(facts, Target::Flood) => {
                let receivers =
                    self.daemon.reconciler.publisher.current().network(facts.network).map_or(0, |network| {
                        network.flood.iter().filter(|port| facts.origin != Origin::Port(**port)).count()
                    });
                self.step("locate", format!("to every port of the network but the sender: {receivers}"));
            }
            Event::Dropped(blame, reason) => {
                let port = self.name_of(blame);
                self.view.drops.push(TraceDrop { port, reason: reason.to_string() });
            }
        }
    }
}
