//! One round: closes what is no longer wanted, opens what is, publishes what follows.

use std::mem;
use std::time::Duration;

use futures::FutureExt;
use tokio::time::Instant;

use super::{OpenPort, Opening, Reconciler, Refusal};
use crate::control::devices::{DeviceEvent, Devices};
use crate::tables::{LinkSlot, WorkerId};
use crate::types::IfIndex;
use crate::worker::WorkerPoolError;

/// The first and the longest pause before a device that refused is tried again. A socket closed a moment ago is
/// released some milliseconds later; another program's hold may last.
const RETRY_FIRST: Duration = Duration::from_millis(5);
const RETRY_LONGEST: Duration = Duration::from_secs(1);

/// Devices that are being opened at a time. The kernel opens one after the other; what is no longer wanted by the time
/// of its turn is opened in vain.
const OPENINGS_AT_ONCE: usize = 8;

/// More links than [`LinkSlot`] has numbers.
const MAX_LINKS: u32 = u16::MAX as u32;

impl<D: Devices> Reconciler<D> {
    /// Makes everything true that can be now. What the kernel takes its time for ends with an event of a device, and
    /// that wants another call.
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
        while let Some(event) = self.devices.next().now_or_never() {
            self.events.push(event);
        }
    }

    async fn round(&mut self, events: Vec<DeviceEvent<D::Handle>>) -> Result<(), WorkerPoolError> {
        let settled = !events.is_empty();
        let opened: Vec<_> = events.into_iter().filter_map(|event| self.settle(event)).collect();
        let links_changed = mem::take(&mut self.links_changed);
        let nb = self.compiler.northbound();
        let mut moved = self.desired.look_for(self.compiler.dirty(), nb, &self.links, &self.config);
        if links_changed {
            self.desired.look_for_all(nb, &self.links, &self.config);
            moved = true;
        }
        if moved {
            self.close_unwanted().await;
        }
        if links_changed {
            let links: Vec<_> = self.ports.values().map(|port| self.local_link(port)).collect();
            for link in links {
                self.compiler.set_link(link);
            }
        }
        self.publish();
        let connected = self.connect(opened).await;
        if settled {
            self.forget_unwanted();
        }
        if moved || self.more_to_open || self.next_retry().is_some_and(|next| next <= Instant::now()) {
            self.open_wanted();
        }
        connected
    }

    /// Deals with an event. Returns a port whose device is open.
    fn settle(&mut self, event: DeviceEvent<D::Handle>) -> Option<OpenPort<D::Handle>> {
        match event {
            DeviceEvent::Opened { ifindex, outcome } => {
                let opening = self.opening.remove(&ifindex)?;
                match outcome {
                    Ok((handle, queues)) => {
                        self.refused.remove(&ifindex);
                        let Opening { lport, slot, options, .. } = opening;
                        let device = self
                            .links
                            .get(ifindex)
                            .map_or_else(|| ifindex.to_string(), |link| link.name.clone());
                        let lost = None;
                        return Some(OpenPort {
                            ifindex,
                            device,
                            lport,
                            slot,
                            queues,
                            options,
                            handle,
                            lost,
                        });
                    }
                    Err(reason) => self.refuse(ifindex, &opening, reason),
                }
            }
            DeviceEvent::Queues { ifindex, rx, tx } => {
                self.links_changed |= self.links.set_queues(ifindex, rx, tx);
            }
            DeviceEvent::Lost { ifindex, reason } => self.lose(ifindex, reason),
        }
        None
    }

    fn refuse(&mut self, ifindex: IfIndex, opening: &Opening, reason: String) {
        self.slots.release(u32::from(opening.slot.0));
        let before = self.refused.get(&ifindex).and_then(|refusal| refusal.pause);
        let pause = before.map_or(RETRY_FIRST, |pause| (pause * 2).min(RETRY_LONGEST));
        if before.is_none() {
            let device = self.links.get(ifindex).map_or("?", |link| &link.name);
            tracing::warn!(device, lport = opening.lport.as_str(), "{reason}");
        }
        self.refused.insert(ifindex, Refusal { reason, next: Instant::now() + pause, pause: Some(pause) });
    }

    /// Has an open device opened again, which is not as it was opened.
    fn lose(&mut self, ifindex: IfIndex, reason: String) {
        if let Some(port) = self.ports.get_mut(&ifindex) {
            tracing::warn!(device = port.device, lport = port.lport.as_str(), "{reason}: it is opened again");
            port.lost = Some(reason);
            self.links_changed = true;
        }
    }

    /// Publishes tables with ports that were opened, and lets their frames flow. Closes those that are no longer wanted.
    async fn connect(&mut self, opened: Vec<OpenPort<D::Handle>>) -> Result<(), WorkerPoolError> {
        let (wanted, unwanted): (Vec<_>, Vec<_>) = opened.into_iter().partition(|port| self.is_kept(port));
        for port in unwanted {
            self.release(port).await;
            self.more_to_open = true;
        }
        for port in &wanted {
            let link = self.local_link(port);
            self.compiler.set_link(link);
        }
        self.publish();
        let mut outcome = Ok(());
        for mut port in wanted {
            match self.devices.connect(port.slot, &mut port.handle).await {
                Ok(()) => tracing::info!(device = port.device, lport = port.lport.as_str(), "port open"),
                // It is ours all the same: `reopen` sees to it with the worker's others.
                Err(died) => outcome = Err(died),
            }
            self.ports.insert(port.ifindex, port);
        }
        outcome
    }

    /// Lets go the devices with a queue at `worker`, which lost its sockets. The next round opens them again.
    pub(in crate::control) async fn reopen(&mut self, worker: WorkerId) {
        let lost = self.ports.values().filter(|port| port.queues.contains(&worker));
        let lost: Vec<_> = lost.map(|port| port.ifindex).collect();
        self.close(&lost).await;
        self.links_changed = true;
    }

    async fn close_unwanted(&mut self) {
        let unwanted: Vec<_> =
            self.ports.values().filter(|port| !self.is_kept(port)).map(|port| port.ifindex).collect();
        self.close(&unwanted).await;
        self.forget_unwanted();
    }

    /// Leaves nothing of devices that are closed and not to be opened again.
    fn forget_unwanted(&mut self) {
        self.refused.retain(|ifindex, _| self.desired.owner_of(*ifindex).is_some());
        self.devices.keep(|ifindex| self.desired.owner_of(ifindex).is_some());
    }

    async fn close(&mut self, unwanted: &[IfIndex]) {
        let unwanted: Vec<_> = unwanted.iter().filter_map(|ifindex| self.ports.remove(ifindex)).collect();
        if unwanted.is_empty() {
            return;
        }
        // No new frame goes to a socket that is about to be closed.
        for port in &unwanted {
            self.compiler.remove_link(&port.lport);
        }
        self.publish();
        for mut port in unwanted {
            tracing::info!(device = port.device, lport = port.lport.as_str(), "port closed");
            if let Some(reason) = port.lost.take().filter(|_| self.desired.owner_of(port.ifindex).is_some()) {
                let reason = format!("{reason}: it is opened again");
                self.refused.insert(port.ifindex, Refusal { reason, next: Instant::now(), pause: None });
            }
            self.release(port).await;
        }
    }

    async fn release(&mut self, port: OpenPort<D::Handle>) {
        self.devices.release(port.slot, port.handle).await;
        self.slots.release(u32::from(port.slot.0));
    }

    fn is_kept(&self, port: &OpenPort<D::Handle>) -> bool {
        let Some(link) = self.links.get(port.ifindex).filter(|_| port.lost.is_none()) else { return false };
        match self.desired.owner_of(port.ifindex) {
            // Each queue needs a socket of its own, and each set of options its own program.
            Some(lport) => {
                *lport == port.lport
                    && usize::from(link.rx_queues) == port.queues.len()
                    && self.config.port(lport) == port.options
            }
            // One that is only switched off keeps its sockets, which work again when it comes back; unless the
            // port has another device meanwhile.
            None => {
                !link.up
                    && self.desired.device_of(&port.lport, &self.links).is_some_and(|found| found.is_err())
            }
        }
    }

    /// Begins to open devices that should be ours, [`OPENINGS_AT_ONCE`] at most.
    fn open_wanted(&mut self) {
        let now = Instant::now();
        self.more_to_open = false;
        for (ifindex, lport) in self.desired.devices() {
            let waiting = self.refused.get(&ifindex).is_some_and(|refusal| refusal.next > now);
            let Some(link) = self.links.get(ifindex) else { continue };
            if waiting || self.ports.contains_key(&ifindex) || self.opening.contains_key(&ifindex) {
                continue;
            }
            if self.opening.len() == OPENINGS_AT_ONCE {
                self.more_to_open = true;
                break;
            }
            let options = self.config.port(lport);
            let Some(slot) = self.slots.allocate(MAX_LINKS).map(|number| LinkSlot(number as u16)) else {
                break;
            };
            self.devices.open(link, slot, options);
            let opening = Opening { lport: lport.clone(), slot, options, since: Instant::now() };
            self.opening.insert(ifindex, opening);
        }
    }

    fn publish(&mut self) {
        if !self.compiler.dirty().is_empty() {
            self.publisher.publish(self.compiler.compile());
        }
    }
}
