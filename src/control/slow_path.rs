//! Tunnel packets that reach the host by its own stack: fragments, packets with IP options, and those on
//! queues without a socket. The kernel reassembles them; from there they go the way of all others.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use std::{io, mem};

use parking_lot::Mutex;
use tokio::net::UdpSocket;
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::datapath::Entry;
use crate::kernel::open_tunnel_socket;
use crate::packet::tunnel::headers_of_datagram;
use crate::tables::WorkerId;
use crate::types::{Problem, TunnelType};
use crate::worker::WorkerReporter;
use crate::xsk::{Arena, Frame};

/// Packets on their way to a worker at a time. More are dropped: the slow path is for few.
const MAX_WAITING: usize = 64;

/// The longest UDP payload.
const MAX_PAYLOAD: usize = 65_507;

/// The time after which a port that could not be opened is tried again.
const RETRY: Duration = Duration::from_secs(2);

/// The sockets on the tunnel ports of this host's endpoint.
#[derive(Debug)]
pub(super) struct SlowPath {
    injector: Injector,
    /// The queue of an uplink that the packets count as received by, and its owner.
    entry: watch::Sender<Option<(Entry, WorkerId)>>,
    endpoint: Option<IpAddr>,
    tasks: Vec<AbortHandle>,
    errors: Arc<Mutex<BTreeMap<u16, io::Error>>>,
}

/// The way of a packet to a worker.
#[derive(Debug, Clone)]
struct Injector {
    arena: &'static Arena,
    workers: WorkerReporter,
    entry: watch::Receiver<Option<(Entry, WorkerId)>>,
    waiting: Arc<Semaphore>,
}

impl SlowPath {
    pub(super) fn new(arena: &'static Arena, workers: WorkerReporter) -> Self {
        let (sender, entry) = watch::channel(None);
        let waiting = Arc::new(Semaphore::new(MAX_WAITING));
        Self {
            injector: Injector { arena, workers, entry, waiting },
            entry: sender,
            endpoint: None,
            tasks: Vec::new(),
            errors: Arc::default(),
        }
    }

    /// Sets the queue that packets count as received by; `None` while no uplink is open: they are dropped.
    pub(super) fn set_entry(&self, entry: Option<(Entry, WorkerId)>) {
        self.entry.send_replace(entry);
    }

    /// Listens on the tunnel ports of `endpoint`, and on those of a former one no longer.
    pub(super) fn listen(&mut self, endpoint: Option<IpAddr>) {
        if mem::replace(&mut self.endpoint, endpoint) == endpoint {
            return;
        }
        mem::take(&mut self.tasks).iter().for_each(AbortHandle::abort);
        self.errors.lock().clear();
        let ports = TunnelType::ALL.into_iter().filter_map(TunnelType::udp_port);
        for (endpoint, port) in
            endpoint.into_iter().flat_map(|endpoint| ports.clone().map(move |port| (endpoint, port)))
        {
            let task = serve((endpoint, port).into(), self.injector.clone(), Arc::clone(&self.errors));
            self.tasks.push(tokio::spawn(task).abort_handle());
        }
    }

    /// The ports that another program has.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let endpoint = self.endpoint.map(|endpoint| endpoint.to_string()).unwrap_or_default();
        let problem = |(port, error): (&u16, &io::Error)| {
            let reason = format!(
                "UDP port {port} of {endpoint} cannot be opened: {error}; fragments of tunnel packets are lost, and another program may answer them -> end the program or the link that has it (`ss -lunp`, `ip -d link`)"
            );
            Problem::new("tunnels", reason)
        };
        self.errors.lock().iter().map(problem).collect()
    }
}

impl Drop for SlowPath {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Receives on a port until the task is aborted.
async fn serve(address: SocketAddr, injector: Injector, errors: Arc<Mutex<BTreeMap<u16, io::Error>>>) {
    loop {
        let socket = open_tunnel_socket(address.ip(), address.port()).and_then(UdpSocket::from_std);
        let error = match socket {
            Ok(socket) => {
                errors.lock().remove(&address.port());
                receive(&socket, address, &injector).await
            }
            Err(error) => error,
        };
        errors.lock().insert(address.port(), error);
        sleep(RETRY).await;
    }
}

/// Passes packets on until the socket fails.
async fn receive(socket: &UdpSocket, address: SocketAddr, injector: &Injector) -> io::Error {
    let mut payload = vec![0; MAX_PAYLOAD];
    loop {
        match socket.recv_from(&mut payload).await {
            Ok((len, source)) => injector.inject(source, address, payload.get(..len).unwrap_or_default()),
            Err(error) => return error,
        }
    }
}

impl Injector {
    /// Gives a packet to the worker of the entry, or drops it.
    fn inject(&self, source: SocketAddr, destination: SocketAddr, payload: &[u8]) {
        let Some((entry, worker)) = *self.entry.borrow() else { return };
        let Ok(permit) = Arc::clone(&self.waiting).try_acquire_owned() else { return };
        if let Some(frame) = self.frame(source, destination, payload) {
            // It fails for a dead worker, which is started again.
            drop(self.workers.inject(worker, entry, frame, permit));
        }
    }

    fn frame(&self, source: SocketAddr, destination: SocketAddr, payload: &[u8]) -> Option<Frame> {
        let headers = headers_of_datagram(source, destination, payload.len())?;
        let mut frame = self.arena.take()?;
        frame.clear();
        frame.extend([&*headers, payload], || self.arena.take()).then_some(frame)
    }
}
