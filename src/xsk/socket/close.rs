//! Closing sockets, many at a time.

use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use parking_lot::Mutex;

use super::{Memory, XskSocket};
use crate::xsk::place::Place;

/// Most threads that close sockets at the same time.
const CLOSING_THREADS: usize = 32;

impl XskSocket {
    /// Closes sockets and returns their chunks to the arena. Never called by a worker: for each socket the
    /// kernel waits until no CPU uses it any more. For sockets that are closed at the same time it waits only
    /// once.
    pub fn close_all(sockets: Vec<Self>) {
        let (mut descriptors, mut emptied) = (Vec::new(), Vec::new());
        for socket in sockets {
            // libxdp closes one socket after the other, under a lock. While a second descriptor is open that
            // takes no time.
            descriptors.extend(socket.as_fd().try_clone_to_owned());
            let Self { id, arena, memory, rx, tx, fill, completion, .. } = socket;
            drop((rx, tx, fill, completion));
            match memory {
                Memory::Arena(mode) => emptied.push((arena, id, mode)),
                // The kernel keeps its pages until the NIC has stopped.
                Memory::Nic(memory) => drop(memory),
            }
        }
        close_in_parallel(descriptors);
        // The kernel uses no chunk of a closed socket in copy mode: a frame still on its way through a link
        // has been copied to memory of the kernel.
        for (arena, id, mode) in emptied {
            arena.reclaim(Place::receiving(id), mode);
            arena.reclaim(Place::transmitting(id), mode);
        }
    }
}

fn close_in_parallel(descriptors: Vec<OwnedFd>) {
    let threads = descriptors.len().min(CLOSING_THREADS);
    let descriptors = Mutex::new(descriptors.into_iter());
    let close = || {
        while let Some(descriptor) = { descriptors.lock().next() } {
            drop(descriptor);
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads {
            // When a thread cannot be started, the others close its share.
            if thread::Builder::new().spawn_scoped(scope, close).is_err() {
                break;
            }
        }
        close();
    });
}
