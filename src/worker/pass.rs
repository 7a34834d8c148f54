//! The loop of a worker: commands, passes, sleep.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::budget::Budget;
use super::command::{Command, Mailbox, SocketReport, WorkerReport};
use super::idle::{Idle, Sleep};
use super::outlet::WorkerOutlet;
use crate::datapath::{Burst, Context, Entry, Ingress, Outlet, State, forward, receive};
use crate::tables::{LinkSlot, Reader};
use crate::xsk::{BURST_FRAMES, XskSocket};

/// The state of a worker, owned by its thread.
#[derive(Debug)]
pub(super) struct Worker {
    outlet: WorkerOutlet,
    state: State,
    tables: Reader,
    mailbox: Mailbox,
    idle: Idle,
    budget: Budget,
    burst: Burst,
}

impl Worker {
    pub(super) fn new(outlet: WorkerOutlet, tables: Reader, mailbox: Mailbox, idle: Idle) -> Self {
        Self {
            outlet,
            state: State::default(),
            tables,
            mailbox,
            idle,
            budget: Budget::default(),
            burst: Burst::new(),
        }
    }

    /// Runs until [`Command::Stop`]. Returns the sockets. A panic closes them, so that the policy for a
    /// missing socket applies to its links, and their chunks return to the arena.
    pub(super) fn run(mut self) -> Vec<XskSocket> {
        // After a panic only the list of sockets is used, which no operation leaves inconsistent.
        let stopped = catch_unwind(AssertUnwindSafe(|| self.run_loop()));
        stopped.unwrap_or_else(|panic| {
            XskSocket::close_all(self.outlet.sockets.remove_all());
            resume_unwind(panic)
        })
    }

    fn run_loop(&mut self) -> Vec<XskSocket> {
        loop {
            // Since the last pass the worker may have slept, and an idle one ends without a flush.
            self.outlet.forget_time();
            while let Ok(command) = self.mailbox.try_recv() {
                if let Some(sockets) = self.execute(command) {
                    return sockets;
                }
            }
            if self.pass() {
                if self.idle.record_busy_pass() {
                    self.outlet.sockets.for_each_active(|open| self.idle.unwatch(open));
                }
            } else if self.idle.record_idle_pass() {
                self.sleep();
            }
        }
    }

    /// Receives from the inbox and from all active sockets, then forwards a burst of each, then transmits:
    /// the rings have room for frames that arrive while the kernel transmits. Returns whether the pass had
    /// work.
    pub(super) fn pass(&mut self) -> bool {
        if self.tables.latest().has_filters {
            self.state.begin_pass(self.outlet.now_ns());
        }
        let mut frames = 0;
        while frames < BURST_FRAMES {
            let Some(packet) = self.outlet.inbox().and_then(|inbox| inbox.packets.pop()) else { break };
            // Loaded after the packet was removed, so no older than the tables of the worker that handed it
            // over.
            let tables = self.tables.latest();
            self.outlet.copies = 0;
            let mut cx = Context { tables, state: &mut self.state, outlet: &mut self.outlet };
            receive(packet, &mut cx);
            frames += 1 + self.outlet.copies;
        }
        let WorkerOutlet { sockets, pool, .. } = &mut self.outlet;
        sockets.receive(pool, &mut self.budget);
        let mut turn = 0;
        while let Some((_, burst)) = self.run_turn(turn) {
            frames += burst;
            turn += 1;
        }
        if frames > 0 {
            self.outlet.flush();
        }
        self.outlet.sockets.deactivate_quiet(&mut self.idle);
        frames > 0
    }

    /// Forwards a burst of the active socket with index `turn`. Returns its link and the number of frames;
    /// `None` after the last active socket.
    #[inline]
    fn run_turn(&mut self, turn: usize) -> Option<(LinkSlot, usize)> {
        let tables = self.tables.latest();
        let (link, queue) = self.outlet.sockets.pop_burst(turn, &mut self.burst, &mut self.budget)?;
        let frames = self.burst.len();
        self.outlet.pool.warm_up(&mut self.burst);
        self.outlet.copies = 0;
        let mut cx = Context { tables, state: &mut self.state, outlet: &mut self.outlet };
        forward(&mut self.burst, Ingress::of(Entry { link, queue }, cx.tables), &mut cx);
        self.outlet.sockets.end_turn(turn, frames, self.outlet.copies);
        Some((link, frames))
    }

    fn sleep(&mut self) {
        // No event reports that the kernel can transmit descriptors that it left in a TX ring, nor that
        // chunks for a fill ring have become free.
        let mut sleep = Sleep::UntilEvent;
        let Self { outlet, idle, mailbox, .. } = self;
        outlet.sockets.for_each_active(|open| {
            if open.is_stuck() {
                open.kick();
            }
            if open.is_stuck() || open.missing > 0 {
                sleep = Sleep::Nap;
            }
            idle.watch(open);
        });
        let WorkerOutlet { sockets, inboxes, worker, .. } = outlet;
        let Some(inbox) = inboxes.get(*worker) else { return };
        inbox.doorbell.begin_sleep();
        if inbox.packets.is_empty() && mailbox.is_empty() {
            idle.sleep(sleep, |link, queue| sockets.wake(link, queue));
        }
        inbox.doorbell.end_sleep();
    }

    /// Forwards all waiting frames of `link`.
    fn drain(&mut self, link: LinkSlot) {
        let mut turn = 0;
        while let Some((from, frames)) = self.run_turn(turn) {
            turn += usize::from(frames == 0 || from != link);
        }
        self.outlet.flush();
    }

    /// Executes a command. Returns the sockets after [`Command::Stop`].
    pub(super) fn execute(&mut self, command: Command) -> Option<Vec<XskSocket>> {
        match command {
            Command::Attach { link, mut socket, ready } => {
                let shares = self.budget.shares();
                // The next pass adds chunks that are missing now.
                socket.refill(&mut self.outlet.pool, shares.idle);
                self.outlet.sockets.insert(link, *socket, shares.max_waiting());
                // Fails only after the end of the control thread.
                ready.send(()).unwrap_or_default();
            }
            Command::Detach { link, reply } => {
                self.drain(link);
                let sockets = self.outlet.sockets.remove(link, &self.idle);
                // Fails only after the end of the control thread; the sockets are closed then.
                drop(reply.send(sockets));
            }
            Command::Inject { entry, frame, permit } => {
                let tables = self.tables.latest();
                let mut cx = Context { tables, state: &mut self.state, outlet: &mut self.outlet };
                forward(&mut Burst::from_iter([frame]), Ingress::of(entry, cx.tables), &mut cx);
                self.outlet.flush();
                drop(permit);
            }
            Command::SetShares(shares) => self.budget.set_shares(shares),
            Command::Turn { mut page, reply } => {
                self.state.begin_pass(self.outlet.now_ns());
                self.state.turn(&mut page);
                // Fails when the client has closed its connection.
                drop(reply.send(page));
            }
            Command::Report { reply } => drop(reply.send(self.report())),
            #[cfg(test)]
            Command::Panic => panic!("requested by a test"),
            Command::Stop => return Some(self.outlet.sockets.remove_all()),
        }
        None
    }

    fn report(&mut self) -> WorkerReport {
        let sockets = self.outlet.sockets.iter_mut().map(|open| SocketReport {
            link: open.link,
            queue: open.socket.queue(),
            rings: open.socket.census(),
            statistics: open.socket.statistics().unwrap_or_default(),
            is_bound: open.socket.is_bound(),
        });
        WorkerReport { sockets: sockets.collect(), pool: self.outlet.pool.len() }
    }
}
