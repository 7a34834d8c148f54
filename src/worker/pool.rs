//! The control thread's hold on the workers.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Receiver, Sender, unbounded};
use crossbeam::queue::ArrayQueue;
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::sync::oneshot;

use super::budget::Shares;
use super::doorbell::Doorbell;
use super::idle::Idle;
use super::outlet::{HANDOVER_FRAMES, Inbox, WorkerOutlet};
use super::pass::Worker;
use crate::config::IdleMode;
use crate::tables::{LinkSlot, Publisher, WorkerId};
use crate::types::QueueId;
use crate::xsk::{Arena, FramePool, RingCensus, SocketStatistics, XskSocket};

/// What control may ask of a worker. Worked off between two passes.
#[derive(Debug)]
pub(super) enum Command {
    /// Own this socket, and say when it receives.
    Attach { link: LinkSlot, socket: Box<XskSocket>, ready: oneshot::Sender<()> },
    /// Give up the sockets of this link.
    Detach { link: LinkSlot, reply: oneshot::Sender<Vec<XskSocket>> },
    /// Go by these shares of the frames.
    Share(Shares),
    /// Count.
    Report { reply: oneshot::Sender<WorkerReport> },
    /// Stop.
    Stop,
    /// Die.
    #[cfg(test)]
    Panic,
}

pub(super) type Mailbox = Receiver<Command>;

/// What a worker holds.
#[derive(Debug, Clone, Default)]
pub struct WorkerReport {
    /// Its sockets.
    pub sockets: Vec<SocketReport>,
    /// Free frames in its pool.
    pub pool: usize,
}

/// What a socket holds and the kernel counted of it.
#[derive(Debug, Clone, Copy)]
pub struct SocketReport {
    /// The link.
    pub link: LinkSlot,
    /// The queue.
    pub queue: QueueId,
    /// Frames in its rings.
    pub rings: RingCensus,
    /// The kernel's counters.
    pub statistics: SocketStatistics,
    /// Whether its device is still there.
    pub is_bound: bool,
}

/// Why there are no workers.
#[derive(Debug, thiserror::Error)]
pub enum WorkerPoolError {
    /// The CPU is not there, or not ours.
    #[error("cannot pin worker {worker} to CPU {cpu}: {source}; name CPUs that this process may use")]
    Pin {
        /// The worker.
        worker: WorkerId,
        /// The CPU.
        cpu: usize,
        /// The kernel's answer.
        source: io::Error,
    },
    /// No thread, no epoll, no eventfd.
    #[error("cannot start worker {worker}: {source}")]
    Start {
        /// The worker.
        worker: WorkerId,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A worker ended by itself, which is a bug.
    #[error("worker {worker} has died")]
    Died {
        /// The worker.
        worker: WorkerId,
    },
}

/// The workers, one pinned thread each.
#[derive(Debug)]
pub struct WorkerPool {
    arena: &'static Arena,
    workers: Vec<Handle>,
    inboxes: Arc<[Inbox]>,
    sockets: usize,
}

#[derive(Debug)]
struct Handle {
    cpu: usize,
    mailbox: Sender<Command>,
    thread: JoinHandle<Vec<XskSocket>>,
}

impl WorkerPool {
    /// Starts a worker on each of `cpus`. They forward with what `publisher` publishes, once they are given sockets.
    ///
    /// # Errors
    /// [`WorkerPoolError`].
    pub fn start(
        cpus: &[usize],
        idle_mode: IdleMode,
        arena: &'static Arena,
        publisher: &Publisher,
    ) -> Result<Self, WorkerPoolError> {
        let inbox = |worker| {
            let doorbell = Doorbell::new().map_err(|source| WorkerPoolError::Start { worker, source })?;
            Ok(Inbox { frames: ArrayQueue::new(HANDOVER_FRAMES), doorbell })
        };
        let inboxes: Arc<[Inbox]> = (0..cpus.len()).map(inbox).collect::<Result<Vec<_>, _>>()?.into();
        let mut workers = Vec::new();
        for (worker, (&cpu, inbox)) in cpus.iter().zip(inboxes.iter()).enumerate() {
            let failed = |source| WorkerPoolError::Start { worker, source };
            let (mailbox, commands) = unbounded();
            let idle = Idle::new(&inbox.doorbell, idle_mode).map_err(failed)?;
            let outlet = WorkerOutlet::new(worker, FramePool::new(arena), Arc::clone(&inboxes));
            let thread = Worker::new(outlet, publisher.reader(), commands, idle);
            let (pinned, started) = crossbeam::channel::bounded(1);
            let thread = thread::Builder::new().name(format!("worker-{worker}")).spawn(move || {
                let outcome = pin(cpu);
                let run = outcome.is_ok();
                // The other end waits for it below.
                drop(pinned.send(outcome));
                if run { thread.run() } else { Vec::new() }
            });
            let thread = thread.map_err(failed)?;
            let outcome = started.recv().map_err(|_| WorkerPoolError::Died { worker })?;
            outcome.map_err(|source| WorkerPoolError::Pin { worker, cpu, source })?;
            workers.push(Handle { cpu, mailbox, thread });
        }
        Ok(Self { arena, workers, inboxes, sockets: 0 })
    }

    /// The CPU of each worker.
    pub fn cpus(&self) -> impl Iterator<Item = usize> {
        self.workers.iter().map(|worker| worker.cpu)
    }

    /// Whether `worker` sleeps for lack of work.
    #[must_use]
    pub fn is_asleep(&self, worker: WorkerId) -> bool {
        self.inboxes.get(worker).is_some_and(|inbox| inbox.doorbell.is_asleep())
    }

    /// Frames that other workers left for `worker`.
    #[must_use]
    pub fn handed_over(&self, worker: WorkerId) -> usize {
        self.inboxes.get(worker).map_or(0, |inbox| inbox.frames.len())
    }

    /// The worker that is to own `queue` of `link`. Queues of one link go round, so that links with as many queues as
    /// there are workers never need a hand-over; links with one queue spread.
    #[must_use]
    pub fn owner_of(&self, link: LinkSlot, queue: QueueId) -> WorkerId {
        (usize::from(link.0) + usize::from(queue.0)).checked_rem(self.workers.len()).unwrap_or(0)
    }

    /// Gives `socket` of `link` to the worker that is to own it, and waits until it receives.
    ///
    /// # Errors
    /// [`WorkerPoolError::Died`].
    pub async fn attach(&mut self, link: LinkSlot, socket: XskSocket) -> Result<(), WorkerPoolError> {
        self.sockets += 1;
        self.share_frames()?;
        let worker = self.owner_of(link, socket.queue());
        let (ready, receives) = oneshot::channel();
        self.send(worker, Command::Attach { link, socket: Box::new(socket), ready })?;
        receives.await.map_err(|_| WorkerPoolError::Died { worker })
    }

    /// Takes the sockets of `link` back from all workers.
    ///
    /// # Errors
    /// [`WorkerPoolError::Died`].
    pub async fn detach(&mut self, link: LinkSlot) -> Result<Vec<XskSocket>, WorkerPoolError> {
        let mut sockets = Vec::new();
        for worker in 0..self.workers.len() {
            let (reply, answer) = oneshot::channel();
            self.send(worker, Command::Detach { link, reply })?;
            sockets.extend(answer.await.map_err(|_| WorkerPoolError::Died { worker })?);
        }
        self.sockets -= sockets.len().min(self.sockets);
        self.share_frames()?;
        Ok(sockets)
    }

    /// Asks every worker what it holds.
    ///
    /// # Errors
    /// [`WorkerPoolError::Died`].
    pub async fn report(&self) -> Result<Vec<WorkerReport>, WorkerPoolError> {
        let mut reports = Vec::new();
        for worker in 0..self.workers.len() {
            let (reply, answer) = oneshot::channel();
            self.send(worker, Command::Report { reply })?;
            reports.push(answer.await.map_err(|_| WorkerPoolError::Died { worker })?);
        }
        Ok(reports)
    }

    /// The first worker that ended by itself.
    #[must_use]
    pub fn dead(&self) -> Option<WorkerId> {
        self.workers.iter().position(|worker| worker.thread.is_finished())
    }

    /// Stops all workers and gives back their sockets.
    #[must_use]
    pub fn stop(self) -> Vec<XskSocket> {
        for worker in 0..self.workers.len() {
            // One that is dead needs no telling.
            drop(self.send(worker, Command::Stop));
        }
        self.workers.into_iter().filter_map(|worker| worker.thread.join().ok()).flatten().collect()
    }

    fn share_frames(&self) -> Result<(), WorkerPoolError> {
        let shares = Shares::of(self.arena.frame_count(), self.workers.len(), self.sockets);
        (0..self.workers.len()).try_for_each(|worker| self.send(worker, Command::Share(shares)))
    }

    pub(super) fn send(&self, worker: WorkerId, command: Command) -> Result<(), WorkerPoolError> {
        let died = WorkerPoolError::Died { worker };
        let (Some(handle), Some(inbox)) = (self.workers.get(worker), self.inboxes.get(worker)) else {
            return Err(died);
        };
        handle.mailbox.send(command).map_err(|_| died)?;
        inbox.doorbell.ring();
        Ok(())
    }
}

fn pin(cpu: usize) -> io::Result<()> {
    let mut cpus = CpuSet::new();
    if cpu >= CpuSet::MAX_CPU {
        return Err(io::Error::other(format!("expected a CPU below {}", CpuSet::MAX_CPU)));
    }
    cpus.set(cpu);
    Ok(sched_setaffinity(None, &cpus)?)
}
