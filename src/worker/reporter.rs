//! The part of the workers that any thread may use: their mailboxes, the lengths of their inboxes, their
//! reports.

use std::sync::Arc;

use crossbeam::channel::{Sender, unbounded};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::command::{Command, Mailbox, WorkerReport};
use super::error::WorkerPoolError;
use super::inbox::Inbox;
use crate::datapath::{Connection, ConnectionPage, Entry};
use crate::tables::WorkerId;
use crate::types::PortKey;
use crate::xsk::Frame;

/// Reports of the workers. Clones concern the same workers, so that a task of the API gets reports without
/// the control thread.
#[derive(Debug, Clone)]
pub struct WorkerReporter {
    workers: Arc<[Contact]>,
    inboxes: Arc<[Inbox]>,
}

#[derive(Debug)]
struct Contact {
    cpu: usize,
    /// Replaced when the worker is started again.
    mailbox: Mutex<Sender<Command>>,
}

impl WorkerReporter {
    /// A reporter of workers on `cpus`, and the mailbox of each for its thread.
    pub(super) fn new(cpus: &[usize]) -> Result<(Self, Vec<Mailbox>), WorkerPoolError> {
        let inbox = |worker| Inbox::new().map_err(|source| WorkerPoolError::Start { worker, source });
        let inboxes = (0..cpus.len()).map(inbox).collect::<Result<Vec<_>, _>>()?.into();
        let contacts = cpus.iter().map(|cpu| {
            let (sender, mailbox) = unbounded();
            (Contact { cpu: *cpu, mailbox: Mutex::new(sender) }, mailbox)
        });
        let (workers, mailboxes): (Vec<_>, _) = contacts.unzip();
        Ok((Self { workers: workers.into(), inboxes }, mailboxes))
    }

    /// Replaces the mailbox of a worker that is started again.
    pub(super) fn renew(&self, worker: WorkerId) -> Option<Mailbox> {
        let (sender, mailbox) = unbounded();
        *self.workers.get(worker)?.mailbox.lock() = sender;
        Some(mailbox)
    }

    pub(super) const fn inboxes(&self) -> &Arc<[Inbox]> {
        &self.inboxes
    }

    /// The CPU of each worker.
    pub fn cpus(&self) -> impl Iterator<Item = usize> {
        self.workers.iter().map(|worker| worker.cpu)
    }

    /// Whether `worker` sleeps because it has no frames.
    #[must_use]
    pub fn is_asleep(&self, worker: WorkerId) -> bool {
        self.inboxes.get(worker).is_some_and(|inbox| inbox.doorbell.is_asleep())
    }

    /// Number of packets that other workers handed over to `worker` and that it has not received yet.
    #[must_use]
    pub fn handed_over(&self, worker: WorkerId) -> usize {
        self.inboxes.get(worker).map_or(0, |inbox| inbox.packets.len())
    }

    /// Requests a report from every worker, and waits for all of them.
    ///
    /// # Errors
    /// [`WorkerPoolError::Died`] for the first worker that has ended.
    pub async fn report(&self) -> Result<Vec<WorkerReport>, WorkerPoolError> {
        let request = |worker| {
            let (reply, answer) = oneshot::channel();
            self.send(worker, Command::Report { reply }).map(|()| (worker, answer))
        };
        let requested: Vec<_> = (0..self.workers.len()).map(request).collect::<Result<_, _>>()?;
        let mut reports = Vec::new();
        for (worker, answer) in requested {
            reports.push(answer.await.map_err(|_| WorkerPoolError::Died { worker })?);
        }
        Ok(reports)
    }

    /// Passes the connections of every worker to `take`: those of a port, or of all ports.
    ///
    /// # Errors
    /// [`WorkerPoolError::Died`] for the first worker that has ended.
    pub async fn connections(
        &self,
        port: Option<PortKey>,
        mut take: impl FnMut(Connection),
    ) -> Result<(), WorkerPoolError> {
        for worker in 0..self.workers.len() {
            let mut page = ConnectionPage::before_first(port);
            while page.has_next() {
                let (reply, answer) = oneshot::channel();
                self.send(worker, Command::Turn { page, reply })?;
                page = answer.await.map_err(|_| WorkerPoolError::Died { worker })?;
                page.drain().for_each(&mut take);
            }
        }
        Ok(())
    }

    /// Lets `worker` forward a frame that control received, as if it had come in by `entry`. The permit is
    /// dropped when that is done.
    ///
    /// # Errors
    /// [`WorkerPoolError::Died`].
    pub fn inject(
        &self,
        worker: WorkerId,
        entry: Entry,
        frame: Frame,
        permit: OwnedSemaphorePermit,
    ) -> Result<(), WorkerPoolError> {
        self.send(worker, Command::Inject { entry, frame, permit })
    }

    pub(super) fn send(&self, worker: WorkerId, command: Command) -> Result<(), WorkerPoolError> {
        let died = WorkerPoolError::Died { worker };
        let (Some(contact), Some(inbox)) = (self.workers.get(worker), self.inboxes.get(worker)) else {
            return Err(died);
        };
        contact.mailbox.lock().send(command).map_err(|_| died)?;
        inbox.doorbell.ring();
        Ok(())
    }
}
