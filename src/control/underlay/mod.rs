//! The underlay: for each remote tunnel endpoint the path to it, resolved by the kernel's own routes and
//! neighbours (rtnetlink). Everything in an outer header that depends on the route is in [`Path`].
//!
//! | file | task |
//! |---|---|
//! | `events.rs`, `requests.rs` | announcements of the kernel, requests to it |
//! | `route.rs`, `output_links.rs`, `neighbours.rs` | the kernel's answers, parsed |
//! | `decision/` | the paths that follow from them |
//! | `schedule.rs` | when routes are requested |
//! | `actor.rs` | the thread that joins these |
//!
//! * A route is requested twice: the entry of the routing table with all its next hops (`RTM_F_FIB_MATCH`),
//!   and the route of one packet, which has the path MTU. Next hops that the kernel marks dead or without
//!   carrier are not used. Of several, each bucket of source ports takes one in proportion to the weights.
//! * The MAC addresses of next hops are `managed` entries of the kernel (`NTF_EXT_MANAGED`): it resolves them
//!   without traffic, and again before they age. They become ordinary entries when no tunnel needs them.
//! * A change of links, routes, rules, nexthop objects or addresses leads to new requests for all endpoints;
//!   a change of a neighbour to a new decision on those that use it.
//! * The kernel learns the path MTU of tunnels by raw sockets (`kernel::open_path_mtu_sockets`). It announces
//!   no change of one, so each endpoint is also examined every 1.5 s.
//!
//! Requests for IPv4 routes take the RTNL lock (`inet_rtm_getroute`), for which control must not wait, so a
//! thread of its own makes them.

mod actor;
mod decision;
mod events;
mod neighbours;
mod no_path;
mod output_links;
mod path;
mod requests;
mod route;
mod schedule;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::{io, thread};

use tokio::runtime;
use tokio::sync::{mpsc, oneshot, watch};

use actor::{Actor, Targets};
pub use no_path::{Asked, NoPath, Rejection};
pub use path::{BUCKETS, Path, Paths};
pub use requests::RequestError;

/// Why paths cannot be resolved.
#[derive(Debug, thiserror::Error)]
pub enum UnderlayError {
    /// The kernel rejects the thread or a netlink socket.
    #[error("cannot open a netlink socket for routes: {0}")]
    Open(#[from] io::Error),
    /// The kernel rejects the request for the list of links or neighbours.
    #[error("cannot list links and neighbours: {0}")]
    Dump(#[from] RequestError),
    /// The thread that resolves paths panicked, which is a bug.
    #[error("the thread that resolves the paths of tunnels has died")]
    Died,
}

/// The tunnel endpoints of this host, at most one of each family. They are the source addresses of its
/// tunnels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LocalEndpoints {
    /// The source address of tunnels to IPv4 endpoints.
    pub v4: Option<Ipv4Addr>,
    /// The source address of tunnels to IPv6 endpoints.
    pub v6: Option<Ipv6Addr>,
}

impl LocalEndpoints {
    /// The endpoint in the family of `remote`.
    #[must_use]
    pub fn of_family(self, remote: IpAddr) -> Option<IpAddr> {
        match remote {
            IpAddr::V4(_) => self.v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.v6.map(IpAddr::V6),
        }
    }

    fn addresses(self) -> impl Iterator<Item = IpAddr> {
        self.v4.map(IpAddr::V4).into_iter().chain(self.v6.map(IpAddr::V6))
    }
}

impl From<IpAddr> for LocalEndpoints {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self { v4: Some(address), v6: None },
            IpAddr::V6(address) => Self { v4: None, v6: Some(address) },
        }
    }
}

/// A result that has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The tunnel endpoint of another host.
    pub remote: IpAddr,
    /// How frames reach it, or why they cannot.
    pub paths: Result<Paths, NoPath>,
}

/// The paths of the tunnels of the namespace that it was opened in.
#[derive(Debug)]
pub struct Underlay {
    targets: watch::Sender<Targets>,
    results: mpsc::UnboundedReceiver<Resolved>,
}

impl Underlay {
    /// Starts the thread, which reads all links and neighbours first.
    ///
    /// # Errors
    /// [`UnderlayError`] when the kernel rejects a netlink socket or a list.
    pub async fn open() -> Result<Self, UnderlayError> {
        let (opened, outcome) = oneshot::channel();
        let (targets, target_receiver) = watch::channel(Targets::default());
        let (result_sender, results) = mpsc::unbounded_channel();
        let work = move || run(target_receiver, result_sender, opened);
        thread::Builder::new().name("underlay".to_owned()).spawn(work)?;
        outcome.await.map_err(|_| UnderlayError::Died)??;
        Ok(Self { targets, results })
    }

    /// Replaces the endpoints whose paths are wanted. Each new one has a result soon; results of former ones
    /// may still follow, and must be ignored. The same endpoints again change nothing.
    pub fn set_endpoints(&mut self, local: LocalEndpoints, remote: BTreeSet<IpAddr>) {
        let new = Targets { local, remote };
        self.targets.send_if_modified(|targets| {
            let is_changed = *targets != new;
            *targets = new;
            is_changed
        });
    }

    /// Waits for a result that differs from the last one of the same endpoint. Cancel-safe.
    ///
    /// # Errors
    /// [`UnderlayError::Died`] when the thread has panicked.
    pub async fn next(&mut self) -> Result<Resolved, UnderlayError> {
        self.results.recv().await.ok_or(UnderlayError::Died)
    }

    /// Ends the thread: the kernel's entries of next hops age again. Waits for it, and so for the RTNL lock.
    pub async fn close(self) {
        let Self { targets, mut results } = self;
        drop(targets);
        while results.recv().await.is_some() {}
    }
}

/// Resolves targets until there are none to come.
fn run(
    targets: watch::Receiver<Targets>,
    results: mpsc::UnboundedSender<Resolved>,
    opened: oneshot::Sender<Result<(), UnderlayError>>,
) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(opened.send(Err(error.into()))),
    };
    runtime.block_on(async {
        match Actor::open(targets, results).await {
            Ok(actor) => {
                drop(opened.send(Ok(())));
                actor.run().await;
            }
            Err(error) => drop(opened.send(Err(error))),
        }
    });
}
