//! The backend with AF_XDP. The thread `rtnl` makes the calls that may wait for the RTNL lock; workers own
//! the sockets, and the XDP programs steer frames into them.

mod link_check;
mod link_program;
mod open_error;
mod opener;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::backend::{BackendEvent, LinkBackend, LostReason};
use super::blocking::blocking;
use super::error::ControlError;
use super::link_registry::{LinkRegistry, RegisteredLink};
use super::links::Link;
use super::pinning::Pinning;
use super::rtnl_thread::RtnlThread;
use crate::config::{Config, LinkOptions};
use crate::tables::{LinkSlot, Publisher, Steering};
use crate::types::{IfIndex, Problem, UplinkSelection};
use crate::worker::{WorkerPool, WorkerPoolError};
use crate::xsk::{Arena, ArenaError, CHUNK_BYTES, XskSocket};
pub(super) use link_check::LinkCheck;
use open_error::OpenLinkError;
use opener::{OpenLink, Opener};

/// The first and the longest pause before the packet memory is registered again.
const RETRY_FIRST: Duration = Duration::from_millis(5);
const RETRY_LONGEST: Duration = Duration::from_secs(1);

/// Upper bound of the time that the end waits until the programs are detached.
const DETACH_TIMEOUT: Duration = Duration::from_secs(3);

/// The packet memory, the workers, and the thread that opens and closes links.
#[derive(Debug)]
pub(super) struct AfXdp {
    pub(super) arena: &'static Arena,
    pub(super) workers: WorkerPool,
    pub(super) pinning: Pinning,
    rtnl: RtnlThread<Opener>,
    events: UnboundedReceiver<Event>,
    sender: UnboundedSender<Event>,
    /// Links without sockets that may have a program of this process.
    closed: BTreeSet<IfIndex>,
    /// The open links by slot, and the time from which a check concerns them.
    connected: BTreeMap<LinkSlot, (IfIndex, Instant)>,
    pub(super) registry: Arc<LinkRegistry>,
    is_checking: bool,
    socket_check: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Event {
    Opened {
        link: Link,
        slot: LinkSlot,
        outcome: Result<OpenLink, OpenLinkError>,
    },
    Detected(BackendEvent<OpenLink, OpenLinkError>),
    /// A socket of the link at `slot` was unbound when a check that began at this time examined it.
    Unbound {
        slot: LinkSlot,
        began: Instant,
    },
    /// A check that began at this time has ended.
    Checked(Instant),
}

impl AfXdp {
    /// Registers the packet memory. Repeats that while it is busy: the kernel releases the memory of a
    /// predecessor some time after its end.
    pub(super) async fn register(config: &Config) -> Result<&'static Arena, ArenaError> {
        let chunk_count = (config.umem_mib as usize) * (1 << 20) / CHUNK_BYTES;
        let mut pause = RETRY_FIRST;
        loop {
            match blocking(move || Arena::umem(chunk_count)).await {
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

    /// Starts the workers, which forward by the tables of `publisher`, and the thread `rtnl`.
    pub(super) fn start(
        config: &Config,
        arena: &'static Arena,
        pinning: Pinning,
        publisher: &Publisher,
    ) -> Result<Self, ControlError> {
        let (sender, events) = unbounded_channel();
        Ok(Self {
            arena,
            workers: WorkerPool::start(&config.workers, config.idle, arena, publisher)?,
            pinning,
            rtnl: RtnlThread::start(Opener::new(arena))?,
            events,
            sender,
            closed: BTreeSet::new(),
            connected: BTreeMap::new(),
            registry: Arc::new(LinkRegistry::new()),
            is_checking: false,
            socket_check: None,
        })
    }

    /// Detaches all programs and stops the workers. What the kernel does not release in time remains until
    /// the process has ended, and pinned programs remain after that.
    pub(super) async fn stop(self, open: impl Iterator<Item = OpenLink>) {
        let programs: Vec<_> = open.map(|open| open.program).collect();
        let (done, ended) = oneshot::channel();
        self.rtnl.submit("detaching the programs", move |opener| {
            opener.detach_all(programs);
            done.send(()).unwrap_or_default();
        });
        let detached = timeout(DETACH_TIMEOUT, ended).await.is_ok();
        XskSocket::close_all(self.workers.stop());
        if detached {
            // No other call of this process waits for the lock, and it was free a moment ago.
            self.pinning.end();
        } else if let Some(delay) = self.rtnl.delay() {
            tracing::warn!(
                "{delay}: programs of ports with no_socket = drop stay on their links -> the next start takes them over, `trunkpath check --clean` removes them"
            );
        }
    }

    /// Starts a check, unless the last one has not ended: then `check` is not called.
    pub(super) fn start_check(&mut self, check: impl FnOnce() -> LinkCheck) {
        if mem::replace(&mut self.is_checking, true) {
            return;
        }
        let (check, began, events) = (check(), Instant::now(), self.sender.clone());
        self.rtnl.submit("checking the links", move |_| {
            check.run(|event| drop(events.send(Event::Detected(event))));
            drop(events.send(Event::Checked(began)));
        });
    }

    /// Starts to compare whether all sockets are still bound, unless the last comparison has not ended. The
    /// kernel does not announce that it has unbound one.
    pub(super) fn start_socket_check(&mut self) {
        if self.socket_check.as_ref().is_some_and(|check| !check.is_finished()) {
            return;
        }
        let (workers, events) = (self.workers.reporter().clone(), self.sender.clone());
        let began = Instant::now();
        self.socket_check = Some(tokio::spawn(async move {
            // A worker that has died has no sockets, and is started again.
            let Ok(reports) = workers.report().await else { return };
            let sockets = reports.iter().flat_map(|report| &report.sockets);
            let unbound: BTreeSet<_> =
                sockets.filter(|socket| !socket.is_bound).map(|socket| socket.link).collect();
            for slot in unbound {
                drop(events.send(Event::Unbound { slot, began }));
            }
        }));
    }

    /// Whether the thread `rtnl` still runs; not after a panic.
    pub(super) fn is_alive(&self) -> bool {
        self.rtnl.is_alive()
    }

    /// The problem that a call to the kernel does not return.
    pub(super) fn problem(&self) -> Option<Problem> {
        let reason = format!(
            "{}: another process may hold its RTNL lock, and `ip link` hangs as well then; forwarding goes on, but no link is opened, closed or looked at meanwhile -> look for processes in state D (`ps -eo pid,stat,wchan:32,args`)",
            self.rtnl.delay()?
        );
        Some(Problem::new("kernel", reason))
    }

    fn apply(&mut self, event: Event) -> Option<BackendEvent<OpenLink, OpenLinkError>> {
        match event {
            Event::Detected(event) => Some(event),
            Event::Unbound { slot, began } => {
                // The slot may belong to another link since.
                let (ifindex, since) = *self.connected.get(&slot)?;
                (since <= began).then_some(BackendEvent::Lost { ifindex, reason: LostReason::SocketsUnbound })
            }
            Event::Checked(began) => {
                self.registry.set_checked_at(began);
                self.is_checking = false;
                None
            }
            Event::Opened { link, slot, outcome } => {
                let outcome = outcome.map(|mut open| {
                    self.pinning.record(&link, open.unpinned.take());
                    let queues = open.sockets.iter().map(XskSocket::queue);
                    let owners =
                        queues.map(|queue| self.workers.owner_of(slot, queue, open.spread)).collect();
                    (open, owners)
                });
                // The program may have been attached before a socket was rejected.
                if outcome.is_err() {
                    self.closed.insert(link.ifindex);
                }
                Some(BackendEvent::Opened { ifindex: link.ifindex, outcome })
            }
        }
    }
}

impl LinkBackend for AfXdp {
    type Handle = OpenLink;
    type Error = OpenLinkError;

    fn open(&mut self, link: &Link, slot: LinkSlot, options: LinkOptions) {
        self.closed.remove(&link.ifindex);
        let (link, pins, events) = (link.clone(), self.pinning.pins(), self.sender.clone());
        self.rtnl.submit(format!("opening link {}", link.name), move |opener| {
            let outcome = opener.open(&link, options, pins.as_deref());
            drop(events.send(Event::Opened { link, slot, outcome }));
        });
    }

    async fn next(&mut self) -> BackendEvent<OpenLink, OpenLinkError> {
        loop {
            // `self.sender` keeps the channel open.
            let Some(event) = self.events.recv().await else { std::future::pending().await };
            if let Some(event) = self.apply(event) {
                return event;
            }
        }
    }

    /// Steers the frames into the sockets, and moves the sockets to their workers.
    async fn connect(&mut self, slot: LinkSlot, open: &mut OpenLink) -> Result<(), WorkerPoolError> {
        let queues =
            open.sockets.iter().map(|socket| self.workers.owner_of(slot, socket.queue(), open.spread));
        let link = RegisteredLink {
            name: open.name.as_str().into(),
            slot,
            queues: queues.collect(),
            counters: open.program.counters().clone(),
        };
        self.registry.insert(open.ifindex, link);
        self.connected.insert(slot, (open.ifindex, Instant::now()));
        for socket in mem::take(&mut open.sockets) {
            // The map holds the socket by itself. No frame is lost between steering and attaching, because
            // the fill ring is still empty.
            if let Err(error) = open.program.steer(socket.queue(), socket.as_fd()) {
                tracing::error!(link = open.name, "{error}");
            }
            self.workers.attach(slot, socket, open.spread).await?;
        }
        Ok(())
    }

    fn steer(&mut self, open: &mut OpenLink, endpoint: Option<IpAddr>, steering: &Steering) {
        let (ipv4, ipv6) = match endpoint {
            Some(IpAddr::V4(address)) => (Some(address), None),
            Some(IpAddr::V6(address)) => (None, Some(address)),
            None => (None, None),
        };
        let vids = steering.vids.iter().copied().collect();
        let selection = UplinkSelection { ipv4, ipv6, vids, has_flat_network: steering.has_untagged };
        if let Err(error) = open.program.select(&selection) {
            tracing::error!(link = open.name, "{error}");
        }
    }

    async fn release(&mut self, slot: LinkSlot, mut open: OpenLink) {
        self.registry.remove(open.ifindex);
        self.connected.remove(&slot);
        open.sockets.extend(self.workers.detach(slot).await);
        self.closed.insert(open.ifindex);
        self.rtnl.submit(format!("closing link {}", open.name), move |opener| opener.close(open));
    }

    fn discard(&mut self, ifindex: IfIndex) {
        if self.closed.remove(&ifindex) {
            self.rtnl.submit("detaching a program", move |opener| opener.discard(ifindex));
            self.pinning.remove(ifindex);
        }
    }
}
