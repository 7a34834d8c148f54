//! The control thread's hold on the workers.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Sender, unbounded};
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::sync::oneshot;

use super::budget::Shares;
use super::command::{Command, WorkerReport};
use super::idle::Idle;
use super::inbox::Inbox;
use super::outlet::WorkerOutlet;
use super::pass::Worker;
use crate::config::IdleMode;
use crate::tables::{LinkSlot, Publisher, QueueOwners, WorkerId};
use crate::types::QueueId;
use crate::xsk::{Arena, ChunkPool, XskSocket};

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
    idle: IdleMode,
    workers: Vec<Handle>,
    inboxes: Arc<[Inbox]>,
    /// How many each link has.
    sockets: BTreeMap<LinkSlot, usize>,
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
        idle: IdleMode,
        arena: &'static Arena,
        publisher: &Publisher,
    ) -> Result<Self, WorkerPoolError> {
        let inbox = |worker| Inbox::new().map_err(|source| WorkerPoolError::Start { worker, source });
        let inboxes: Arc<[Inbox]> = (0..cpus.len()).map(inbox).collect::<Result<Vec<_>, _>>()?.into();
        let mut pool = Self { arena, idle, workers: vec![], inboxes, sockets: BTreeMap::new() };
        for (worker, &cpu) in cpus.iter().enumerate() {
            let handle = pool.spawn(worker, cpu, publisher)?;
            pool.workers.push(handle);
        }
        Ok(pool)
    }

    /// Starts a worker in the place of one that died. It has no sockets.
    ///
    /// # Errors
    /// [`WorkerPoolError`].
    pub fn restart(&mut self, worker: WorkerId, publisher: &Publisher) -> Result<(), WorkerPoolError> {
        let cpu = self.workers.get(worker).map(|dead| dead.cpu).ok_or(WorkerPoolError::Died { worker })?;
        let handle = self.spawn(worker, cpu, publisher)?;
        if let Some(place) = self.workers.get_mut(worker) {
            *place = handle;
        }
        self.share_frames();
        Ok(())
    }

    fn spawn(&self, worker: WorkerId, cpu: usize, publisher: &Publisher) -> Result<Handle, WorkerPoolError> {
        let failed = |source| WorkerPoolError::Start { worker, source };
        let inbox = self.inboxes.get(worker).ok_or(WorkerPoolError::Died { worker })?;
        let (mailbox, commands) = unbounded();
        let idle = Idle::new(&inbox.doorbell, self.idle).map_err(failed)?;
        let outlet = WorkerOutlet::new(worker, ChunkPool::new(self.arena), Arc::clone(&self.inboxes));
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
        Ok(Handle { cpu, mailbox, thread })
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

    /// Packets that other workers left for `worker`.
    #[must_use]
    pub fn handed_over(&self, worker: WorkerId) -> usize {
        self.inboxes.get(worker).map_or(0, |inbox| inbox.packets.len())
    }

    /// The worker that gets the socket of a queue.
    #[must_use]
    pub fn owner_of(&self, link: LinkSlot, queue: QueueId) -> WorkerId {
        QueueOwners::owner_of(link, queue, self.workers.len())
    }

    /// Gives `socket` of `link` to the worker that is to own it, and waits until it receives.
    ///
    /// # Errors
    /// [`WorkerPoolError::Died`].
    pub async fn attach(&mut self, link: LinkSlot, socket: XskSocket) -> Result<(), WorkerPoolError> {
        *self.sockets.entry(link).or_default() += 1;
        self.share_frames();
        let worker = self.owner_of(link, socket.queue());
        let (ready, receives) = oneshot::channel();
        self.send(worker, Command::Attach { link, socket: Box::new(socket), ready })?;
        receives.await.map_err(|_| WorkerPoolError::Died { worker })
    }

    /// Takes the sockets of `link` back from all workers. Those of a dead one are closed.
    pub async fn detach(&mut self, link: LinkSlot) -> Vec<XskSocket> {
        let mut sockets = Vec::new();
        for worker in 0..self.workers.len() {
            let (reply, answer) = oneshot::channel();
            if self.send(worker, Command::Detach { link, reply }).is_ok() {
                sockets.extend(answer.await.into_iter().flatten());
            }
        }
        self.sockets.remove(&link);
        self.share_frames();
        sockets
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

    /// The workers that ended by themselves.
    #[must_use]
    pub fn dead(&self) -> Vec<WorkerId> {
        let workers = self.workers.iter().enumerate();
        workers.filter(|(_, worker)| worker.thread.is_finished()).map(|(worker, _)| worker).collect()
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

    fn share_frames(&self) {
        let sockets = self.sockets.values().sum();
        let shares = Shares::of(self.arena.chunk_count(), self.workers.len(), sockets);
        for worker in 0..self.workers.len() {
            // One that is dead needs none.
            drop(self.send(worker, Command::SetShares(shares)));
        }
    }

    /// Lets a worker die.
    #[cfg(test)]
    pub(crate) fn kill(&self, worker: WorkerId) {
        drop(self.send(worker, Command::Panic));
        while !self.dead().contains(&worker) {
            thread::yield_now();
        }
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
