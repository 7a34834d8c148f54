//! One pass of a worker: what it does all day.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::budget::Budget;
use super::command::{Command, Mailbox, SocketReport, WorkerReport};
use super::idle::Idle;
use super::outlet::WorkerOutlet;
use crate::datapath::{Burst, Context, Entry, State, forward, receive};
use crate::tables::{LinkSlot, Reader};
use crate::xsk::{BURST_FRAMES, XskSocket};

/// A worker, on its own thread.
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

    /// Works until told to stop; gives back its sockets. If it panics, it closes them: from then on its links' frames meet
    /// their policy for a missing socket, and no frame is lost to the others.
    pub(super) fn run(mut self) -> Vec<XskSocket> {
        // Of what a panic may have left half done, nothing is used but the list of sockets.
        let worked = catch_unwind(AssertUnwindSafe(|| self.work()));
        worked.unwrap_or_else(|panic| {
            XskSocket::close_all(self.outlet.sockets.remove_all());
            resume_unwind(panic)
        })
    }

    fn work(&mut self) -> Vec<XskSocket> {
        loop {
            while let Ok(command) = self.mailbox.try_recv() {
                if let Some(sockets) = self.obey(command) {
                    return sockets;
                }
            }
            if self.pass() {
                if self.idle.record_busy_pass() {
                    self.outlet.sockets.each_active(|open| self.idle.unwatch(open));
                }
            } else if self.idle.record_idle_pass() {
                self.sleep();
            }
        }
    }

    /// Takes in everything that came, and a burst of each socket all the way: what comes while the kernel sends must
    /// find room in the rings. Returns whether there was anything to do.
    pub(super) fn pass(&mut self) -> bool {
        let mut frames = 0;
        while frames < BURST_FRAMES {
            let Some(packet) = self.outlet.inbox().and_then(|inbox| inbox.packets.pop()) else { break };
            // Looked up after the packet was taken out, so they are no older than those of the worker that left it.
            let tables = self.tables.latest();
            self.outlet.copies = 0;
            let mut cx = Context { tables, state: &mut self.state, outlet: &mut self.outlet };
            receive(packet, &mut cx);
            frames += 1 + self.outlet.copies;
        }
        let WorkerOutlet { sockets, pool, .. } = &mut self.outlet;
        sockets.receive(pool, &mut self.budget);
        let mut turn = 0;
        while let Some((_, burst)) = self.take_turn(turn) {
            frames += burst;
            turn += 1;
        }
        if frames > 0 {
            self.outlet.flush();
        }
        self.outlet.sockets.retire(&mut self.idle);
        frames > 0
    }

    /// Takes a burst of the socket whose turn it is all the way. Returns its link and how many frames that were; `None`
    /// when all had their turn.
    #[inline]
    fn take_turn(&mut self, turn: usize) -> Option<(LinkSlot, usize)> {
        let tables = self.tables.latest();
        let (link, queue) = self.outlet.sockets.burst(turn, &mut self.burst, &mut self.budget)?;
        let frames = self.burst.len();
        self.outlet.pool.warm_up(&mut self.burst);
        self.outlet.copies = 0;
        let mut cx = Context { tables, state: &mut self.state, outlet: &mut self.outlet };
        forward(&mut self.burst, Entry { link, queue }, &mut cx);
        self.outlet.sockets.end_turn(turn, frames, self.outlet.copies);
        Some((link, frames))
    }

    fn sleep(&mut self) {
        // Frames that the kernel left in a TX ring, or that are missing in a fill ring, wait for something that
        // wakes nobody: look after them from time to time.
        let mut restless = false;
        let Self { outlet, idle, mailbox, .. } = self;
        outlet.sockets.each_active(|open| {
            if open.is_stuck() {
                open.kick();
            }
            restless |= open.is_stuck() || open.missing > 0;
            idle.watch(open);
        });
        let WorkerOutlet { sockets, inboxes, worker, .. } = outlet;
        let Some(inbox) = inboxes.get(*worker) else { return };
        inbox.doorbell.doze();
        if inbox.packets.is_empty() && mailbox.is_empty() {
            idle.sleep(restless, |link, queue| sockets.wake(link, queue));
        }
        inbox.doorbell.wake();
    }

    /// Sends on what came from `link` and waits.
    fn finish(&mut self, link: LinkSlot) {
        let mut turn = 0;
        while let Some((from, frames)) = self.take_turn(turn) {
            turn += usize::from(frames == 0 || from != link);
        }
        self.outlet.flush();
    }

    /// Does what the control thread wants. Returns the sockets when that is to stop.
    pub(super) fn obey(&mut self, command: Command) -> Option<Vec<XskSocket>> {
        match command {
            Command::Attach { link, mut socket, ready } => {
                let shares = self.budget.shares();
                // What is missing is made up for in the next pass.
                socket.refill(&mut self.outlet.pool, shares.idle);
                self.outlet.sockets.add(link, *socket, shares.most_waiting());
                // Control is gone if it does not listen, and then nobody needs to know.
                ready.send(()).unwrap_or_default();
            }
            Command::Detach { link, reply } => {
                self.finish(link);
                let sockets = self.outlet.sockets.remove(link, &self.idle);
                // Control is gone if it does not take them; then they are closed right here.
                drop(reply.send(sockets));
            }
            Command::Share(shares) => self.budget.share(shares),
            Command::Report { reply } => drop(reply.send(self.report())),
            #[cfg(test)]
            Command::Panic => panic!("as a test wants it"),
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
