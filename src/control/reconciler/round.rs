//! One round of the reconciler: searches links, closes and opens some, publishes the tables that result.
//!
//! A round examines the links that changed since the last one, never all. What such a change may concern is
//! added to `Changed`: a link event its link and the ports that the link may belong to, a record its port.

use std::collections::BTreeSet;
use std::mem;

use futures::FutureExt;
use tokio::time::Instant;

use super::open_ports::OpenPort;
use super::openings::Opening;
use super::state::Reconciler;
use crate::config::LinkOptions;
use crate::control::backend::{BackendEvent, LinkBackend, LostReason};
use crate::control::desired::SearchSources;
use crate::tables::{LinkSlot, QueueSpread, WorkerId};
use crate::types::{IfIndex, LinkRole};
use crate::worker::WorkerPoolError;

impl<B: LinkBackend> Reconciler<B> {
    /// Makes rounds until no event of the backend is left. Operations that the backend has started by then
    /// end with later events, each of which requires another call.
    ///
    /// # Errors
    /// A worker has died.
    pub async fn reconcile(&mut self) -> Result<(), WorkerPoolError> {
        self.collect_events();
        loop {
            let events = mem::take(&mut self.events);
            self.round(events).await?;
            self.collect_events();
            if self.events.is_empty() {
                return Ok(());
            }
        }
    }

    fn collect_events(&mut self) {
        while let Some(event) = self.backend.next().now_or_never() {
            self.events.push(event);
        }
    }

    async fn round(&mut self, events: Vec<BackendEvent<B::Handle, B::Error>>) -> Result<(), WorkerPoolError> {
        let opened: Vec<_> = events.into_iter().filter_map(|event| self.apply_backend_event(event)).collect();
        let changed = self.search_links();
        let unwanted = changed.iter().filter_map(|ifindex| self.ports.get(*ifindex));
        let unwanted: Vec<_> = unwanted.filter(|port| !self.is_kept(port)).map(|port| port.ifindex).collect();
        self.close(&unwanted).await;
        for ifindex in &changed {
            if let Some(link) = self.ports.get(*ifindex).map(|port| self.local_link(port)) {
                self.compiler.set_link(link);
            }
        }
        self.publish();
        let connected = self.connect(opened).await;
        self.steer();
        for ifindex in changed {
            self.queue_or_discard(ifindex);
        }
        self.open_queued();
        connected
    }

    /// Searches the links of the ports that may have another one now. Returns the links to examine.
    fn search_links(&mut self) -> BTreeSet<IfIndex> {
        let changed = mem::take(&mut self.changed);
        let lports = changed.lports.union(self.compiler.dirty());
        let sources = SearchSources {
            chassis: &self.config.chassis,
            nb: self.compiler.northbound(),
            links: &self.links,
            attachments: &self.attachments,
        };
        let moved = self.desired.search(lports.clone(), &sources);
        let owners: BTreeSet<_> = lports.filter_map(|lport| self.compiler.link_owner(lport)).collect();
        let roles = owners.into_iter().map(|owner| LinkRole::Port(owner.into()));
        let open = roles.filter_map(|role| self.ports.of_role(&role));
        let respread = open.filter(|port| self.link_options(&port.role, port.queues.len()) != port.options);
        let respread: Vec<_> = respread.map(|port| port.ifindex).collect();
        self.incumbents_changed |= !moved.roles.is_empty();
        let mut links = changed.links;
        links.extend(self.desired.set_uplinks(self.uplinks()));
        links.extend(moved.links);
        links.extend(respread);
        // A role that has found a link, or has inherited one, may have another one open.
        let heirs = links.iter().filter_map(|ifindex| self.desired.role_of(*ifindex));
        let others = heirs.chain(moved.roles).filter_map(|role| self.ports.of_role(&role));
        let others: Vec<_> = others.map(|port| port.ifindex).collect();
        links.extend(others);
        links
    }

    /// Applies an event. Returns the port of a link that was opened.
    fn apply_backend_event(
        &mut self,
        event: BackendEvent<B::Handle, B::Error>,
    ) -> Option<OpenPort<B::Handle>> {
        match event {
            BackendEvent::Opened { ifindex, outcome } => {
                self.changed.links.insert(ifindex);
                let opening = self.openings.end(ifindex)?;
                match outcome {
                    Ok((handle, queues)) => {
                        self.openings.forget(ifindex);
                        let Opening { role, slot, options, .. } = opening;
                        let link_name = self.link_name(ifindex);
                        let lost = None;
                        let port = OpenPort { ifindex, link_name, role, slot, queues, options, handle, lost };
                        return Some(port);
                    }
                    Err(error) => self.refuse(ifindex, &opening, &error.to_string()),
                }
            }
            BackendEvent::QueueCounts { ifindex, rx, tx } => {
                if self.links.set_queue_counts(ifindex, rx, tx) {
                    self.changed.links.insert(ifindex);
                }
            }
            BackendEvent::Lost { ifindex, reason } => self.mark_lost(ifindex, reason),
        }
        None
    }

    fn refuse(&mut self, ifindex: IfIndex, opening: &Opening, reason: &str) {
        self.slots.release(u32::from(opening.slot.0));
        if self.openings.refuse(ifindex, reason, Instant::now()) {
            let link = self.links.get(ifindex).map_or("?", |link| &link.name);
            tracing::warn!(link, role = %opening.role, "{reason}");
        }
    }

    /// Marks an open link that has to be opened again.
    fn mark_lost(&mut self, ifindex: IfIndex, reason: LostReason) {
        if let Some(port) = self.ports.get_mut(ifindex) {
            tracing::warn!(link = port.link_name, role = %port.role, "{reason}: it is opened again");
            port.lost = Some(reason);
            self.changed.links.insert(ifindex);
        }
    }

    /// Publishes tables with the ports whose links were opened, and lets their frames flow. Closes those that
    /// are no longer wanted.
    async fn connect(&mut self, opened: Vec<OpenPort<B::Handle>>) -> Result<(), WorkerPoolError> {
        let (wanted, unwanted): (Vec<_>, Vec<_>) = opened.into_iter().partition(|port| self.is_kept(port));
        for port in unwanted {
            self.release(port).await;
        }
        for port in &wanted {
            let link = self.local_link(port);
            self.compiler.set_link(link);
        }
        self.publish();
        let mut outcome = Ok(());
        for mut port in wanted {
            match self.backend.connect(port.slot, &mut port.handle).await {
                Ok(()) => tracing::info!(link = port.link_name, role = %port.role, "link open"),
                // The port counts as open: `reopen` closes it with the other ports of the worker.
                Err(died) => outcome = Err(died),
            }
            self.ports.insert(port);
        }
        outcome
    }

    /// Closes the links with a queue at `worker`, which lost its sockets. The next round opens them again.
    pub(in crate::control) async fn reopen(&mut self, worker: WorkerId) {
        let lost = self.ports.iter().filter(|port| port.queues.contains(&worker));
        let lost: Vec<_> = lost.map(|port| port.ifindex).collect();
        self.close(&lost).await;
        self.changed.links.extend(lost);
    }

    async fn close(&mut self, unwanted: &[IfIndex]) {
        let unwanted: Vec<_> = unwanted.iter().filter_map(|ifindex| self.ports.remove(*ifindex)).collect();
        if unwanted.is_empty() {
            return;
        }
        // No new frame goes to a socket that is about to be closed.
        for port in &unwanted {
            self.compiler.remove_link(&port.role);
        }
        self.publish();
        for mut port in unwanted {
            tracing::info!(link = port.link_name, role = %port.role, "link closed");
            if let Some(reason) = port.lost.take().filter(|_| self.desired.role_of(port.ifindex).is_some()) {
                self.openings.suspend(port.ifindex, format!("{reason}: it is opened again"));
            }
            self.release(port).await;
        }
    }

    async fn release(&mut self, port: OpenPort<B::Handle>) {
        self.backend.release(port.slot, port.handle).await;
        self.slots.release(u32::from(port.slot.0));
    }

    /// The options by which the link of a role, with this number of queues, is opened.
    fn link_options(&self, role: &LinkRole, queues: usize) -> LinkOptions {
        let is_filtered = || role.port().is_some_and(|lport| self.compiler.filters_link_of(lport));
        let spread = if queues > 1 && is_filtered() { QueueSpread::OneWorker } else { QueueSpread::Workers };
        self.config.link_options(role, spread)
    }

    fn is_kept(&self, port: &OpenPort<B::Handle>) -> bool {
        let Some(link) = self.links.get(port.ifindex).filter(|_| port.lost.is_none()) else { return false };
        match self.desired.role_of(port.ifindex) {
            // Each queue needs a socket of its own, and each set of options its own program.
            Some(role) => {
                role == port.role
                    && usize::from(link.rx_queues) == port.queues.len()
                    && self.link_options(&role, port.queues.len()) == port.options
            }
            // A link that is only switched off keeps its sockets, which work again when it is switched on.
            None => !link.up && self.desired.keeps_while_down(&port.role, port.ifindex),
        }
    }

    /// Queues a closed link that should be open, and gives up one that should not.
    fn queue_or_discard(&mut self, ifindex: IfIndex) {
        if self.desired.role_of(ifindex).is_none() {
            self.openings.forget(ifindex);
            self.backend.discard(ifindex);
        } else if !self.ports.contains(ifindex) {
            self.openings.enqueue(ifindex);
        }
    }

    /// Starts to open queued links, as many as may be opened at a time.
    fn open_queued(&mut self) {
        let now = Instant::now();
        while let Some(ifindex) = self.openings.pop(now) {
            let (Some(role), Some(link)) = (self.desired.role_of(ifindex), self.links.get(ifindex)) else {
                continue;
            };
            if self.ports.contains(ifindex) {
                continue;
            }
            let Some(slot) = self.slots.allocate(LinkSlot::MAX_LINKS).map(|number| LinkSlot(number as u16))
            else {
                self.openings.enqueue(ifindex);
                break;
            };
            let options = self.link_options(&role, link.rx_queues.into());
            self.backend.open(link, slot, options);
            self.openings.begin(ifindex, Opening { role, slot, options, since: now });
        }
    }

    fn publish(&mut self) {
        if self.compiler.has_changes() {
            self.incumbents_changed = true;
            self.publisher.publish(self.compiler.compile());
        }
    }
}
