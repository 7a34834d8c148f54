//! Making what is the same as what is wanted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ControlError;
use super::desired::Desired;
use super::follow::News;
use super::links::{LinkEvent, Links};
use super::open_port::{OpenPort, Opened, Slots, open_port};
use crate::config::Config;
use crate::kernel::inspect;
use crate::nb::{self, NorthboundDb, Reports};
use crate::tables::{Compiler, PortState, Publisher};
use crate::types::{IfIndex, Problem};
use crate::worker::{WorkerPool, WorkerPoolError};
use crate::xsk::{Arena, ArenaError, FRAME_BYTES, XskSocket};

/// The first and the longest pause before a device that refused is tried again. A socket closed a moment ago is
/// released some milliseconds later; another program's hold may last.
const RETRY_FIRST: Duration = Duration::from_millis(5);
const RETRY_LONGEST: Duration = Duration::from_secs(1);

/// Everything the control thread knows and holds.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) config: Config,
    /// The records, and the tables made of them.
    pub(super) compiler: Compiler,
    pub(super) links: Links,
    /// Whether the last round was before the last news of a link.
    links_changed: bool,
    pub(super) arena: &'static Arena,
    pub(super) workers: WorkerPool,
    pub(super) publisher: Publisher,
    /// Devices that are ours.
    pub(super) ports: BTreeMap<IfIndex, OpenPort>,
    /// Devices that should be, and are not.
    pub(super) refused: BTreeMap<IfIndex, Refusal>,
    pub(super) desired: Desired,
    pub(super) cloud: Cloud,
    /// Why the NB DB is not being followed, while it is not.
    pub(super) nb_problem: Option<Problem>,
    slots: Slots,
}

/// What we see of the cloud, and what it hears of us.
#[derive(Debug)]
pub(super) struct Cloud {
    pub(super) db: Arc<dyn NorthboundDb>,
    pub(super) reports: Reports,
}

/// A device that could not be taken.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) reason: String,
    next: Instant,
    pause: Duration,
}

impl Control {
    /// Registers the packet memory and starts the workers.
    pub(super) async fn start(config: Config, links: Links, cloud: Cloud) -> Result<Self, ControlError> {
        let arena = register((config.umem_mib as usize) * (1 << 20) / FRAME_BYTES).await?;
        let mut compiler = Compiler::new(config.workers.len());
        let publisher = Publisher::new(compiler.compile());
        let workers = WorkerPool::start(&config.workers, arena, &publisher)?;
        Ok(Self {
            config,
            compiler,
            links,
            links_changed: true,
            arena,
            workers,
            publisher,
            ports: BTreeMap::new(),
            refused: BTreeMap::new(),
            desired: Desired::default(),
            cloud,
            nb_problem: None,
            slots: Slots::default(),
        })
    }

    /// Our name in the NB DB.
    pub(super) fn chassis(&self) -> &str {
        &self.config.chassis
    }

    /// Takes news from the NB DB.
    pub(super) fn hear(&mut self, news: News) {
        self.nb_problem = None;
        match news {
            News::All(snapshot) => self.compiler.replace(&snapshot),
            News::Changes(changes) => {
                changes.changes.iter().for_each(|change| self.compiler.apply(change));
            }
            News::Lost(error) => {
                let reason =
                    format!("{error}; forwarding goes on with what was read last, and it is tried again");
                let url = nb::masked(&self.config.nb);
                tracing::warn!(url, "{reason}");
                self.nb_problem = Some(Problem::new(format!("NB DB {url}"), reason));
            }
        }
    }

    /// Takes news of a link.
    pub(super) fn see(&mut self, event: LinkEvent) {
        event.apply(&mut self.links);
        for port in self.ports.values_mut() {
            if let Some(link) = self.links.get(&port.ifindex) {
                port.device.clone_from(&link.name);
            }
        }
        self.links_changed = true;
    }

    /// Counts the queues of the devices that are to be ours, and says whether there is news. A tap gets another one
    /// for each that its VM opens, and nobody announces that.
    pub(super) fn recount_queues(&mut self) -> bool {
        let mut news = false;
        for link in self.links.values_mut().filter(|link| self.desired.devices.contains_key(&link.ifindex)) {
            let Some(in_use) = inspect::queues(&link.name, link.ifindex) else { continue };
            news |= link.rx_queues != in_use.rx;
            (link.rx_queues, link.tx_queues) = (in_use.rx, in_use.tx);
        }
        news
    }

    /// One round: close what is no longer wanted, open what is, publish what follows.
    pub(super) async fn reconcile(&mut self) -> Result<(), WorkerPoolError> {
        let nb = self.compiler.northbound();
        self.desired.look_for(self.compiler.touched(), nb, &self.links, &self.config);
        if std::mem::take(&mut self.links_changed) {
            self.desired.look_for_all(nb, &self.links, &self.config);
        }
        self.close_unwanted().await?;
        let opened = self.open_wanted();
        self.publish(&opened);
        for opened in opened {
            let (port, refused) = opened.connect(&mut self.workers).await?;
            for error in refused {
                tracing::error!(device = port.device, "{error}");
            }
            tracing::info!(
                device = port.device,
                lport = port.lport,
                mode = port.program.mode().name(),
                "port open"
            );
            self.ports.insert(port.ifindex, port);
        }
        self.report();
        Ok(())
    }

    /// Tells the cloud which ports forward: sockets and tables of all of them are in force.
    fn report(&self) {
        let up = self.compiler.reports().filter(|(_, report)| report.state == PortState::Up);
        self.cloud.reports.set_up(up.map(|(lport, _)| lport.to_owned()).collect());
    }

    /// When a refused device is to be tried again.
    pub(super) fn next_retry(&self) -> Option<Instant> {
        self.refused.values().map(|refusal| refusal.next).min()
    }

    /// Makes the death of a worker ours.
    pub(super) fn check_workers(&self) -> Result<(), WorkerPoolError> {
        self.workers.dead().map_or(Ok(()), |worker| Err(WorkerPoolError::Died { worker }))
    }

    /// Takes the programs off the links, stops the workers, closes all sockets and withdraws what we reported.
    pub(super) async fn stop(self) {
        let Self { ports, workers, cloud, .. } = self;
        drop(ports);
        workers.stop().into_iter().for_each(XskSocket::close);
        cloud.reports.end().await;
    }

    async fn close_unwanted(&mut self) -> Result<(), WorkerPoolError> {
        let wanted = &self.desired.devices;
        self.refused.retain(|ifindex, _| wanted.contains_key(ifindex));
        let kept = |port: &OpenPort| {
            let Some(link) = self.links.get(&port.ifindex) else { return false };
            match wanted.get(&port.ifindex) {
                // Each queue needs a socket of its own.
                Some(lport) => *lport == port.lport && usize::from(link.rx_queues) == port.queues.len(),
                // One that is only switched off keeps its sockets, which work again when it comes back; unless the
                // port has another device meanwhile.
                None => !link.up && self.desired.ports.get(&port.lport).is_some_and(Result::is_err),
            }
        };
        let unwanted: Vec<_> =
            self.ports.values().filter(|port| !kept(port)).map(|port| port.ifindex).collect();
        let unwanted: Vec<_> = unwanted.iter().filter_map(|ifindex| self.ports.remove(ifindex)).collect();
        if unwanted.is_empty() {
            return Ok(());
        }
        // No new frame goes to a socket that is about to be closed.
        for port in &unwanted {
            self.compiler.remove_link(&port.lport);
        }
        self.publish(&[]);
        for port in unwanted {
            let sockets = self.workers.detach(port.link).await?;
            tracing::info!(device = port.device, lport = port.lport, "port closed");
            port.close(sockets, &mut self.slots);
        }
        Ok(())
    }

    fn open_wanted(&mut self) -> Vec<Opened> {
        let now = Instant::now();
        let mut all_opened = Vec::new();
        for (ifindex, lport) in &self.desired.devices {
            let waiting = self.refused.get(ifindex).is_some_and(|refusal| refusal.next > now);
            let Some(link) = self.links.get(ifindex) else { continue };
            if waiting || self.ports.contains_key(ifindex) {
                continue;
            }
            match open_port(link, lport, self.config.port(lport), self.arena, &mut self.slots) {
                Ok(mut opened) => {
                    self.refused.remove(ifindex);
                    opened.assign(&self.workers);
                    all_opened.push(opened);
                }
                Err(error) => {
                    let before = self.refused.get(ifindex).map(|refusal| refusal.pause);
                    let pause = before.map_or(RETRY_FIRST, |pause| (pause * 2).min(RETRY_LONGEST));
                    let reason = error.to_string();
                    if before.is_none() {
                        tracing::warn!(device = link.name, lport, "{reason}");
                    }
                    self.refused.insert(*ifindex, Refusal { reason, next: now + pause, pause });
                }
            }
        }
        all_opened
    }

    fn publish(&mut self, opened: &[Opened]) {
        for port in self.ports.values().chain(opened.iter().map(|opened| &opened.port)) {
            self.compiler.set_link(port.local_link(self.carries(port)));
        }
        if !self.compiler.touched().is_empty() {
            self.publisher.publish(self.compiler.compile());
        }
    }

    /// Whether the port's link is on at both ends.
    fn carries(&self, port: &OpenPort) -> bool {
        self.links.get(&port.ifindex).is_some_and(|link| link.up && link.carrier)
    }
}

/// Registers the packet memory; patiently, for the kernel releases a predecessor's some time after its end.
async fn register(frame_count: usize) -> Result<&'static Arena, ArenaError> {
    let mut pause = RETRY_FIRST;
    loop {
        match Arena::umem(frame_count) {
            Err(ArenaError::Anchor { source })
                if source.raw_os_error() == Some(libc::EBUSY) && pause <= RETRY_LONGEST =>
            {
                sleep(pause).await;
                pause *= 2;
            }
            outcome => return outcome,
        }
    }
}
