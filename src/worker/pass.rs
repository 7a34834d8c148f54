//! One pass of a worker: what it does all day.

use super::idle::Idle;
use super::outlet::WorkerOutlet;
use super::pool::{Command, Mailbox, SocketReport, WorkerReport};
use crate::datapath::forward;
use crate::tables::Reader;
use crate::xsk::{BURST_FRAMES, Frame, XskSocket};

/// A worker, on its own thread.
#[derive(Debug)]
pub(super) struct Worker {
    outlet: WorkerOutlet,
    tables: Reader,
    mailbox: Mailbox,
    idle: Idle,
    burst: Vec<Frame>,
    /// Frames that each socket keeps with the kernel to receive into.
    fill_target: usize,
    /// Frames that were missing to reach it, in the last pass.
    missing: usize,
}

impl Worker {
    pub(super) fn new(outlet: WorkerOutlet, tables: Reader, mailbox: Mailbox, idle: Idle) -> Self {
        let burst = Vec::with_capacity(BURST_FRAMES);
        Self { outlet, tables, mailbox, idle, burst, fill_target: 0, missing: 0 }
    }

    /// Works until told to stop; gives back its sockets.
    pub(super) fn run(mut self) -> Vec<XskSocket> {
        loop {
            while let Ok(command) = self.mailbox.try_recv() {
                if let Some(sockets) = self.obey(command) {
                    return sockets;
                }
            }
            if self.pass() {
                self.idle.worked();
            } else if self.idle.is_tired() {
                self.sleep();
            }
        }
    }

    /// Takes a burst of each socket all the way. Returns whether there was anything to do.
    pub(super) fn pass(&mut self) -> bool {
        let tables = self.tables.latest();
        let mut frames = 0;
        while frames < BURST_FRAMES && self.outlet.take_handed_over(tables) {
            frames += 1;
        }
        let mut place = 0;
        self.missing = 0;
        while let Some(open) = self.outlet.sockets.at(place) {
            open.socket.complete(&mut self.outlet.pool);
            frames += open.socket.receive(&mut self.burst);
            self.missing += open.socket.refill(&mut self.outlet.pool, self.fill_target);
            let link = open.link;
            self.outlet.queue = open.socket.queue();
            for frame in self.burst.drain(..) {
                forward(frame, link, tables, &mut self.outlet);
            }
            place += 1;
        }
        if frames > 0 {
            self.outlet.flush();
        }
        frames > 0
    }

    fn sleep(&mut self) {
        // Frames that the kernel left in a TX ring, or that are missing in a fill ring, wait for something that
        // wakes nobody: look after them from time to time.
        let mut restless = self.missing > 0;
        for open in self.outlet.sockets.iter_mut().filter(|open| open.stuck) {
            open.kick();
            restless |= open.stuck;
        }
        let Some(inbox) = self.outlet.inbox() else { return };
        inbox.doorbell.doze();
        if inbox.frames.is_empty() && self.mailbox.is_empty() {
            self.idle.sleep(restless);
        }
        inbox.doorbell.wake();
    }

    /// Does what the control thread wants. Returns the sockets when that is to stop.
    pub(super) fn obey(&mut self, command: Command) -> Option<Vec<XskSocket>> {
        match command {
            Command::Attach { link, mut socket, ready } => {
                // What is missing is made up for in the next pass.
                self.missing += socket.refill(&mut self.outlet.pool, self.fill_target);
                self.idle.watch(&socket);
                self.outlet.sockets.add(link, *socket);
                // Control is gone if it does not listen, and then nobody needs to know.
                ready.send(()).unwrap_or_default();
            }
            Command::Detach { link, reply } => {
                let sockets = self.outlet.sockets.remove(link);
                for socket in &sockets {
                    self.idle.forget(socket);
                }
                // Control is gone if it does not take them; then they are closed right here.
                drop(reply.send(sockets));
            }
            Command::FillTarget(frames) => self.fill_target = frames,
            Command::Report { reply } => drop(reply.send(self.report())),
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
        });
        WorkerReport { sockets: sockets.collect(), pool: self.outlet.pool.len() }
    }
}
