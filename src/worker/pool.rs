//! The threads of the workers, as the control thread starts, commands and stops them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::sync::oneshot;

use super::budget::Shares;
use super::command::{Command, Mailbox};
use super::error::WorkerPoolError;
use super::idle::Idle;
use super::outlet::WorkerOutlet;
use super::pass::Worker;
use super::reporter::WorkerReporter;
use crate::config::IdleMode;
use crate::tables::{LinkSlot, Publisher, QueueOwners, QueueSpread, WorkerId};
use crate::types::QueueId;
use crate::xsk::{Arena, ChunkPool, XskSocket};

/// The workers, one pinned thread each.
#[derive(Debug)]
pub struct WorkerPool {
    arena: &'static Arena,
    idle: IdleMode,
    reporter: WorkerReporter,
    threads: Vec<JoinHandle<Vec<XskSocket>>>,
    /// The number of sockets of each link.
    sockets: BTreeMap<LinkSlot, usize>,
    socket_count: usize,
}

impl WorkerPool {
    /// Starts a worker on each of `cpus`. They forward by the tables of `publisher` once they have sockets.
    ///
    /// # Errors
    /// [`WorkerPoolError::Pin`] or [`WorkerPoolError::Start`].
    pub fn start(
        cpus: &[usize],
        idle: IdleMode,
        arena: &'static Arena,
        publisher: &Publisher,
    ) -> Result<Self, WorkerPoolError> {
        let (reporter, mailboxes) = WorkerReporter::new(cpus)?;
        let (threads, sockets) = (Vec::new(), BTreeMap::new());
        let mut pool = Self { arena, idle, reporter, threads, sockets, socket_count: 0 };
        for (worker, (&cpu, mailbox)) in cpus.iter().zip(mailboxes).enumerate() {
            let thread = pool.spawn(worker, cpu, mailbox, publisher)?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Starts a worker in the place of one that died. It has no sockets.
    ///
    /// # Errors
    /// [`WorkerPoolError::Pin`] or [`WorkerPoolError::Start`].
    pub fn restart(&mut self, worker: WorkerId, publisher: &Publisher) -> Result<(), WorkerPoolError> {
        let died = || WorkerPoolError::Died { worker };
        let cpu = self.reporter.cpus().nth(worker).ok_or_else(died)?;
        let mailbox = self.reporter.renew(worker).ok_or_else(died)?;
        let thread = self.spawn(worker, cpu, mailbox, publisher)?;
        if let Some(dead) = self.threads.get_mut(worker) {
            *dead = thread;
        }
        self.share_frames();
        Ok(())
    }

    fn spawn(
        &self,
        worker: WorkerId,
        cpu: usize,
        mailbox: Mailbox,
        publisher: &Publisher,
    ) -> Result<JoinHandle<Vec<XskSocket>>, WorkerPoolError> {
        let failed = |source| WorkerPoolError::Start { worker, source };
        let inboxes = self.reporter.inboxes();
        let inbox = inboxes.get(worker).ok_or(WorkerPoolError::Died { worker })?;
        let idle = Idle::new(&inbox.doorbell, self.idle).map_err(failed)?;
        let outlet = WorkerOutlet::new(worker, ChunkPool::new(self.arena), Arc::clone(inboxes));
        let thread = Worker::new(outlet, publisher.reader(), mailbox, idle);
        let (pinned, started) = crossbeam::channel::bounded(1);
        let thread = thread::Builder::new().name(format!("worker-{worker}")).spawn(move || {
            let outcome = pin(cpu);
            let run = outcome.is_ok();
            // The receiver waits for it below.
            drop(pinned.send(outcome));
            if run { thread.run() } else { Vec::new() }
        });
        let thread = thread.map_err(failed)?;
        let outcome = started.recv().map_err(|_| WorkerPoolError::Died { worker })?;
        outcome.map_err(|source| WorkerPoolError::Pin { worker, cpu, source })?;
        Ok(thread)
    }

    /// The reports of the workers, for other threads too.
    #[must_use]
    pub const fn reporter(&self) -> &WorkerReporter {
        &self.reporter
    }

    /// The worker that owns a queue of a link.
    #[must_use]
    pub fn owner_of(&self, link: LinkSlot, queue: QueueId, spread: QueueSpread) -> WorkerId {
        QueueOwners::owner_of(link, queue, spread, self.threads.len())
    }

    /// Moves a socket of `link` to the worker that owns its queue, and waits until it can receive.
    ///
    /// # Errors
    /// [`WorkerPoolError::Died`].
    pub async fn attach(
        &mut self,
        link: LinkSlot,
        socket: XskSocket,
        spread: QueueSpread,
    ) -> Result<(), WorkerPoolError> {
        *self.sockets.entry(link).or_default() += 1;
        self.socket_count += 1;
        self.share_frames();
        let worker = self.owner_of(link, socket.queue(), spread);
        let (ready, receives) = oneshot::channel();
        self.reporter.send(worker, Command::Attach { link, socket: Box::new(socket), ready })?;
        receives.await.map_err(|_| WorkerPoolError::Died { worker })
    }

    /// Removes the sockets of `link` from all workers, and returns them. Those of a dead worker are closed
    /// already.
    pub async fn detach(&mut self, link: LinkSlot) -> Vec<XskSocket> {
        let mut sockets = Vec::new();
        for worker in 0..self.threads.len() {
            let (reply, answer) = oneshot::channel();
            if self.reporter.send(worker, Command::Detach { link, reply }).is_ok() {
                sockets.extend(answer.await.into_iter().flatten());
            }
        }
        self.socket_count -= self.sockets.remove(&link).unwrap_or(0);
        self.share_frames();
        sockets
    }

    /// The workers that have ended without a command.
    #[must_use]
    pub fn dead(&self) -> Vec<WorkerId> {
        let threads = self.threads.iter().enumerate();
        threads.filter(|(_, thread)| thread.is_finished()).map(|(worker, _)| worker).collect()
    }

    /// Stops all workers, and returns their sockets.
    #[must_use]
    pub fn stop(self) -> Vec<XskSocket> {
        for worker in 0..self.threads.len() {
            // It fails for a dead worker.
            drop(self.reporter.send(worker, Command::Stop));
        }
        self.threads.into_iter().filter_map(|thread| thread.join().ok()).flatten().collect()
    }

    fn share_frames(&self) {
        let shares = Shares::of(self.arena.chunk_count(), self.threads.len(), self.socket_count);
        for worker in 0..self.threads.len() {
            // It fails for a dead worker.
            drop(self.reporter.send(worker, Command::SetShares(shares)));
        }
    }

    /// Makes a worker panic, and waits until it has ended.
    #[cfg(test)]
    pub(crate) fn kill(&self, worker: WorkerId) {
        drop(self.reporter.send(worker, Command::Panic));
        while !self.dead().contains(&worker) {
            thread::yield_now();
        }
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
