//! `trunkpath trace`: the datapath with the tables in force, and an outlet that records each step. No frame
//! is sent, and no counter changes.

mod security_groups;

use super::daemon::Daemon;
use crate::api::model::{PortState, TraceDrop, TraceOutput, TraceRequest, TraceStep, TraceView};
use crate::api::{ApiError, Hex};
use crate::datapath::{
    Blame, Burst, Context, Entry, Event, Facts, Ground, HandedOver, Ingress, Outlet, State, Target, forward,
};
use crate::nb::LogicalPort;
use crate::packet::TagId;
use crate::tables::{Exit, PortSlot, WorkerId, Wrap};
use crate::types::drop_reason::Locate;
use crate::types::{Direction, DropReason, LinkRole, MacAddr, QueueId, Segmentation, UnknownTags};
use crate::xsk::{Arena, Frame};
use security_groups::{refused_direction, step_of};

/// A worker without counters, so that a trace changes none.
const NO_WORKER: WorkerId = WorkerId::MAX;

/// Connections that one frame may begin: one for each receiver. Those of the workers are not known to a trace,
/// so each packet is judged as the first of its connection.
const CONNECTIONS: u32 = 1 << 12;

/// Upper bound of the ports of other networks in a message.
const MAX_NAMED: usize = 4;

/// Runs the frame of `request` through the datapath with the tables in force.
pub(super) fn trace(daemon: &Daemon, request: &TraceRequest) -> Result<TraceView, ApiError> {
    let reconciler = &daemon.reconciler;
    let open = reconciler.ports.of_role(&LinkRole::Port(request.port.as_str().into()));
    let link = open.map(|port| port.slot).ok_or_else(|| daemon.untraceable(&request.port))?;
    let arena = reconciler.backend.arena;
    let no_chunks = || ApiError::NoChunks { bytes: request.frame.0.len() };
    let mut frame = arena.take().ok_or_else(no_chunks)?;
    frame.clear();
    if !frame.extend([&*request.frame.0], || arena.take()) {
        return Err(no_chunks());
    }
    let destination = request.frame.0.first_chunk().map(|bytes| MacAddr::new(*bytes));
    let mut outlet = TraceOutlet { daemon, arena, destination, sender: None, view: TraceView::default() };
    let tables = reconciler.publisher.current();
    let mut cx = Context { tables: &tables, state: &mut State::new(CONNECTIONS), outlet: &mut outlet };
    let ingress = Ingress::of(Entry { link, queue: QueueId(0) }, cx.tables);
    forward(&mut Burst::from_iter([frame]), ingress, &mut cx);
    Ok(outlet.view)
}

impl Daemon {
    /// The reason why a trace cannot start at this lport.
    fn untraceable(&self, lport: &str) -> ApiError {
        let nb = self.reconciler.compiler.northbound();
        let lport = lport.to_owned();
        if let Some(segmentation) = nb.segmentation_above(&lport) {
            return ApiError::IsSubport { lport, parent: segmentation.parent.to_string() };
        }
        if let Some(port) = nb.lports().get(lport.as_str()) {
            let state = self.state_of(&port.id);
            return ApiError::PortDown { lport, state };
        }
        self.no_such_port(&lport)
    }

    /// The error for an id that no port has.
    pub(super) fn no_such_port(&self, lport: &str) -> ApiError {
        let ports = self.reconciler.compiler.northbound().lports().values();
        let named = ports.filter(|port| *port.name == *lport);
        let ids = named.map(|port| port.id.to_string()).collect();
        ApiError::NoSuchPort { lport: lport.to_owned(), ids }
    }

    /// The port's name, or its id if it has none.
    pub(super) fn name_of(&self, lport: &str) -> String {
        let port = self.reconciler.compiler.northbound().lports().get(lport);
        port.map(|port| &*port.name).filter(|name| !name.is_empty()).unwrap_or(lport).to_owned()
    }

    /// The ports that have an address to which the sender's network has no receiver.
    fn explain_unknown(&self, sender: &str, destination: MacAddr) -> Option<String> {
        let nb = self.reconciler.compiler.northbound();
        let network = &nb.lports().get(sender)?.lswitch;
        let holders = nb.lports().values().filter(|port| port.macs.contains(&destination));
        let (here, elsewhere): (Vec<_>, Vec<_>) = holders.partition(|port| port.lswitch == *network);
        if let Some(port) = here.first() {
            let name = self.name_of(&port.id);
            return Some(match self.state_of(&port.id) {
                PortState::Up => format!("{name} has {destination}, and does not receive from this port"),
                PortState::Down { reason } => {
                    format!("{name} has {destination} but is down: {}", reason.message)
                }
            });
        }
        let others = elsewhere.iter().take(MAX_NAMED).map(|port| self.network_and_name(port));
        let others: Vec<_> = others.collect();
        let others = if others.is_empty() { String::new() } else { format!(" ({})", others.join(", ")) };
        Some(format!("{} has no port with {destination}{others}", self.network_name(network)))
    }

    fn network_and_name(&self, port: &LogicalPort) -> String {
        format!("{} has: {}", self.network_name(&port.lswitch), self.name_of(&port.id))
    }

    fn network_name(&self, lswitch: &str) -> String {
        let network = self.reconciler.compiler.northbound().lswitches().get(lswitch);
        network.map(|network| &*network.name).filter(|name| !name.is_empty()).unwrap_or(lswitch).to_owned()
    }

    /// The tags of the port's frames, outermost first; none for a port with a link of its own.
    fn tags_above(&self, lport: &str) -> Vec<String> {
        let nb = self.reconciler.compiler.northbound();
        let mut tags = Vec::new();
        let mut port = lport;
        while let Some(segmentation) = nb.segmentation_above(port)
            && tags.len() < nb.lports().len()
        {
            let Segmentation::Vlan(vid) = segmentation.segmentation;
            tags.insert(0, format!("VLAN {vid}"));
            port = &segmentation.parent;
        }
        tags
    }
}

struct TraceOutlet<'a> {
    daemon: &'a Daemon,
    arena: &'static Arena,
    /// The destination address of the frame.
    destination: Option<MacAddr>,
    /// The id of the port that the frame belongs to, once it is classified.
    sender: Option<String>,
    view: TraceView,
}

impl TraceOutlet<'_> {
    fn step(&mut self, step: &str, what: String) {
        self.view.steps.push(TraceStep { step: step.to_owned(), what });
    }

    /// The id of what is at `slot`.
    fn id(&self, slot: PortSlot) -> String {
        self.daemon.name_at(slot).0
    }

    fn name(&self, slot: PortSlot) -> String {
        self.daemon.name_at(slot).1
    }

    fn classified(&mut self, facts: &Facts) {
        let dei = if facts.pcp.drop_eligible() { ", DEI set" } else { "" };
        let priority = format!("priority {}{dei}", facts.pcp.priority());
        let Some(port) = facts.origin.port() else { return };
        let lport = self.id(port);
        let name = self.daemon.name_of(&lport);
        let what = match self.daemon.tags_above(&lport).as_slice() {
            [] => format!("port {name} itself ({priority})"),
            [tag] => format!("{tag} -> subport {name}, tag taken off ({priority})"),
            tags => format!("{} -> subport {name}, tags taken off ({priority})", tags.join(", ")),
        };
        self.sender = Some(lport);
        self.step("classify", what);
    }

    fn unknown_tag(&mut self, port: PortSlot, tag: TagId) {
        let (lport, name) = (self.id(port), self.name(port));
        let has = self.daemon.tags_of(&lport).unwrap_or_else(|| "none".to_owned());
        let record = self.daemon.reconciler.compiler.northbound().lports().get(lport.as_str());
        let network = record.map_or("", |port| &*port.lswitch);
        let outcome = match self.daemon.reconciler.config.policy.unknown_tags.of(&lport, network) {
            UnknownTags::Pass => format!("the frame stays {name}'s own, with the tag"),
            UnknownTags::Drop => "unknown_tags = drop".to_owned(),
        };
        self.step("classify", format!("{tag} is no segmentation of {name} (it has {has}): {outcome}"));
    }

    fn refused_mac(&mut self, port: PortSlot, mac: MacAddr) {
        let (lport, name) = (self.id(port), self.name(port));
        let allowed = self.daemon.sources_of(&lport).unwrap_or_else(|| "any".to_owned());
        self.step("antispoof", format!("{mac} is no address of {name} (it may use {allowed})"));
    }

    fn located(&mut self, facts: &Facts, target: Target) {
        let what = match target {
            Target::Port(place) if self.daemon.reconciler.compiler.port_at(place).is_none() => {
                self.name(place)
            }
            Target::Port(port) => format!("port {}", self.name(port)),
            Target::Flood => {
                let tables = self.daemon.reconciler.publisher.current();
                let network = tables.network(facts.network);
                let receivers = network.map_or(&[][..], |network| network.receivers(PortSlot::NONE));
                let hosts = receivers.iter().filter(|place| place.peer().is_some()).count();
                let ports = receivers.iter().filter(|place| !facts.origin.is(**place)).count() - hosts;
                match hosts {
                    0 => format!("each port of the network but the sender: {ports}"),
                    _ => format!("each port of the network here but the sender: {ports}; hosts: {hosts}"),
                }
            }
        };
        self.step("locate", what);
    }

    fn allowed(&mut self, port: PortSlot, direction: Direction, ground: Ground<'_>) {
        let what = self.daemon.explain_allowed(&self.id(port), direction, ground);
        self.step(step_of(direction), what);
    }

    fn dropped(&mut self, blame: Blame, reason: DropReason) {
        if reason == DropReason::Locate(Locate::Unknown)
            && let (Some(sender), Some(destination)) = (self.sender.as_deref(), self.destination)
            && let Some(what) = self.daemon.explain_unknown(sender, destination)
        {
            self.step("locate", what);
        }
        let port = blame.port().map(|port| self.id(port));
        if let (Some(direction), Some(lport)) = (refused_direction(reason), &port) {
            let what = self.daemon.explain_refused(lport, direction);
            self.step(step_of(direction), what);
        }
        let port = port.unwrap_or_else(|| "-".to_owned());
        self.view.drops.push(TraceDrop { port, reason: reason.to_string() });
    }
}

impl Outlet for TraceOutlet<'_> {
    fn worker(&self) -> WorkerId {
        NO_WORKER
    }

    /// Always `true`: a trace runs both halves, whichever workers own the links.
    fn is_own(&self, _worker: WorkerId) -> bool {
        true
    }

    fn allocate(&mut self) -> Option<Frame> {
        self.arena.take()
    }

    /// Any time but 0: the rate limits of a new `State` are not reached then.
    fn now_ns(&mut self) -> u64 {
        1
    }

    fn hand_over(&mut self, _worker: WorkerId, packet: HandedOver) -> Result<(), HandedOver> {
        Err(packet)
    }

    fn transmit(&mut self, frame: Frame, to: &Exit<'_>) {
        let link = self.daemon.reconciler.ports.at_slot(to.link);
        let link = link.map_or_else(|| "?".to_owned(), |open| open.link_name.clone());
        let (lport, name) = (self.id(to.slot), self.name(to.slot));
        let pushed = match to.wrap() {
            Wrap::Tags(tags) if tags.is_empty() => "no tag".to_owned(),
            Wrap::Tags(tags) => {
                let tags: Vec<_> = tags.iter().map(|vid| format!("VLAN {vid}")).collect();
                format!("tag put on: {}", tags.join(", "))
            }
            Wrap::Tunnel(_, tunnel, _) => format!("in a tunnel: {tunnel}"),
        };
        let what = if self.daemon.reconciler.compiler.port_at(to.slot).is_some() { "port " } else { "" };
        self.step("dispatch", format!("{what}{name} by link {link}, {pushed}"));
        self.view.outputs.push(TraceOutput { link, port: lport, name, frame: Hex(frame.to_vec()) });
    }

    fn release(&mut self, frame: Frame) {
        drop(frame);
    }

    fn observe(&mut self, event: Event<'_>) {
        match event {
            Event::Classified(facts) => self.classified(facts),
            Event::UnknownTag(port, tag) => self.unknown_tag(port, tag),
            Event::RefusedMac(port, mac) => self.refused_mac(port, mac),
            Event::ChecksumCompleted => self.step("checksum", "completed the partial checksum".to_owned()),
            Event::Allowed(port, direction, ground) => self.allowed(port, direction, ground),
            Event::Located(facts, target) => self.located(facts, target),
            Event::Dropped(blame, reason) => self.dropped(blame, reason),
        }
    }
}
