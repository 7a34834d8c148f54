//! What would become of a frame: the datapath itself, on the tables in force, with an outlet that writes down what it
//! sees, sends nothing and counts nothing.

use super::daemon::Daemon;
use crate::api::Hex;
use crate::api::model::{TraceDrop, TraceOutput, TraceRequest, TraceStep, TraceView};
use crate::datapath::{Destination, Outlet, Source, Step, forward};
use crate::tables::{Egress, PortSlot, Tables, WorkerId};
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
    forward([frame], link, &daemon.reconciler.publisher.current(), &mut witness);
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

    /// The id of the port at `slot`.
    fn name(&self, slot: PortSlot) -> String {
        self.daemon.reconciler.compiler.port_at(slot).unwrap_or("?").to_owned()
    }
}

impl Outlet for Witness<'_> {
    fn worker(&self) -> WorkerId {
        NOBODY
    }

    fn take(&mut self) -> Option<Frame> {
        self.arena.take()
    }

    /// Nothing is rationed: a trace takes no part in rates.
    fn now(&mut self) -> u64 {
        0
    }

    fn transmit(&mut self, frame: Frame, _source: &Source, to: Egress<'_>, _tables: &Tables) {
        let device = self.daemon.reconciler.ports.values().find(|open| open.slot == to.slot.link);
        let device = device.map_or_else(|| "?".to_owned(), |open| open.device.clone());
        let lport = self.name(to.slot);
        let pushed = match to.port.tags.as_slice() {
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

    fn observe(&mut self, step: Step<'_>) {
        match step {
            Step::Classified(source) => {
                let name = self.name(source.port);
                let pcp = source.pcp;
                let dei = if pcp.drop_eligible() { ", DEI set" } else { "" };
                self.step("classify", format!("from port {name}, priority {}{dei}", pcp.priority()));
            }
            Step::UnknownTag(port, tag) => {
                let name = self.name(port);
                let has = self.daemon.tags_of(&name).unwrap_or_else(|| "none".to_owned());
                self.step("classify", format!("{tag} is no segmentation of {name} (it has {has})"));
            }
            Step::RefusedMac(port, mac) => {
                let name = self.name(port);
                let may_use = self.daemon.sources_of(&name).unwrap_or_else(|| "any".to_owned());
                self.step("antispoof", format!("{mac} is no address of {name} (it may use {may_use})"));
            }
            Step::ChecksumCompleted => self.step("checksum", "completed the partial checksum".to_owned()),
            Step::Destined(Destination::Port(port)) => {
                let what = match self.daemon.reconciler.compiler.port_at(*port) {
                    Some(name) => format!("to port {name}"),
                    None => "to the port that holds the address".to_owned(),
                };
                self.step("destination", what);
            }
            Step::Destined(Destination::Flood(ports)) => {
                let count = ports.len().saturating_sub(1);
                self.step("destination", format!("to every port of the network but the sender: {count}"));
            }
            Step::Dropped(port, reason) => {
                let port = port.map_or_else(|| "-".to_owned(), |port| self.name(port));
                self.view.drops.push(TraceDrop { port, reason: reason.to_string() });
            }
        }
    }
}
