//! How sockets are closed: all at a time.

use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use parking_lot::Mutex;

use super::XskSocket;
use crate::xsk::arena::Place;

/// Threads that close sockets when there are as many to close.
const CLOSING_THREADS: usize = 32;

impl XskSocket {
    /// Closes sockets and brings their frames home to the arena. Control does it, never a worker: for each one the
    /// kernel waits until no CPU uses it any more. It waits for many at a time as long as for one.
    pub fn close_all(sockets: Vec<Self>) {
        let (mut last_hold, mut emptied) = (Vec::new(), Vec::new());
        for socket in sockets {
            // libxdp closes one after the other, under a lock. With another hold on the socket that takes no time.
            last_hold.extend(socket.as_fd().try_clone_to_owned());
            let Self { id, arena, rx, tx, fill, completion, .. } = socket;
            drop((rx, tx, fill, completion));
            emptied.push((arena, id));
        }
        drop_side_by_side(last_hold);
        // In copy mode the kernel holds no chunk now: what is still on its way through a device is in socket chunks of
        // its own.
        for (arena, id) in emptied {
            arena.reclaim(Place::receiving(id));
            arena.reclaim(Place::transmitting(id));
        }
    }
}

fn drop_side_by_side(descriptors: Vec<OwnedFd>) {
    let threads = descriptors.len().min(CLOSING_THREADS);
    let descriptors = Mutex::new(descriptors.into_iter());
    let close = || {
        while let Some(descriptor) = { descriptors.lock().next() } {
            drop(descriptor);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // Those that start do the work of one that does not.
            if thread::Builder::new().spawn_scoped(scope, close).is_err() {
                break;
            }
        }
        close();
    });
}
