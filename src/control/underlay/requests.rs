//! Requests to the kernel, one after another. Each may wait for the RTNL lock inside the system call.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use futures::{Stream, TryStreamExt};
use rtnetlink::packet_core::ErrorMessage;
use rtnetlink::packet_route::neighbour::{
    NeighbourAttribute, NeighbourExtFlags, NeighbourFlags, NeighbourState,
};
use rtnetlink::packet_route::route::{RouteFlags, RouteMessage};
use rtnetlink::{Handle, RouteMessageBuilder, new_connection};
use rustix::io::Errno;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::decision::Lookup;
use super::neighbours::{self, Neighbours, NextHop, PROTOCOL};
use super::no_path::Asked;
use super::output_links::{self, OutputLinks};
use super::route::Route;

/// The protocol that rules with `ipproto` are matched with. The kernel accepts no GRE here
/// (`rtm_getroute_parse_ip_proto`), so all tunnels take the routes of UDP.
const UDP: u8 = 17;

/// The kernel answers inside the system call, so a missing answer is one that could not be parsed.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the kernel has given no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The kernel rejects the request.
    #[error("{0}")]
    Rejected(Errno),
    /// There was no answer, or one that cannot be parsed.
    #[error("the kernel's answer cannot be read")]
    NoAnswer,
    /// The netlink socket was closed after an error.
    #[error("the netlink socket is closed")]
    Closed,
}

impl From<rtnetlink::Error> for RequestError {
    fn from(error: rtnetlink::Error) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the others are answers of a wrong type")]
        match error {
            rtnetlink::Error::NetlinkError(error) => Self::Rejected(errno(&error)),
            rtnetlink::Error::RequestFailed => Self::Closed,
            _ => Self::NoAnswer,
        }
    }
}

fn errno(error: &ErrorMessage) -> Errno {
    Errno::from_io_error(&error.to_io()).unwrap_or(Errno::IO)
}

/// The way in which the kernel keeps the entry of a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// It is resolved, and again before it ages (`NTF_EXT_MANAGED`, Linux 5.16).
    Managed,
    /// It is resolved once, and ages (`NTF_USE`). A managed entry becomes an ordinary one.
    Once,
}

/// A netlink socket for requests.
#[derive(Debug)]
pub(super) struct Requests {
    handle: Handle,
    /// Reads the socket; aborted when this is dropped.
    _reader: JoinSet<()>,
}

impl Requests {
    pub(super) fn open() -> io::Result<Self> {
        let (connection, handle, _) = new_connection()?;
        let mut reader = JoinSet::new();
        reader.spawn(connection);
        Ok(Self { handle, _reader: reader })
    }

    pub(super) async fn links(&self) -> Result<OutputLinks, RequestError> {
        let dump: Vec<_> = self.handle.link().get().execute().try_collect().await?;
        Ok(dump.iter().filter_map(output_links::parse).collect())
    }

    pub(super) async fn neighbours(&self) -> Result<Neighbours, RequestError> {
        let dump: Vec<_> = self.handle.neighbours().get().execute().try_collect().await?;
        Ok(dump.iter().filter_map(neighbours::parse).collect())
    }

    /// Whether `address` belongs to a link of this host.
    pub(super) async fn is_local(&self, address: IpAddr) -> Result<bool, RequestError> {
        Ok(self.route(request(address, None)).await? == Route::Local)
    }

    pub(super) async fn lookup(&self, asked: Asked) -> Result<Lookup, RequestError> {
        let mut matching = request(asked.remote, Some(asked.source));
        matching.header.flags = RouteFlags::FibMatch;
        let matched = self.route(matching).await?;
        let exact = match matched {
            Route::Forward(_) => self.exact(asked).await?,
            Route::Local | Route::NotUnicast | Route::Missing | Route::Rejected(_) => matched.clone(),
        };
        Ok(Lookup { matched, exact })
    }

    /// The route that one packet takes, see [`Lookup::exact`].
    pub(super) async fn exact(&self, asked: Asked) -> Result<Route, RequestError> {
        self.route(request(asked.remote, Some(asked.source))).await
    }

    async fn route(&self, message: RouteMessage) -> Result<Route, RequestError> {
        match first(self.handle.route().get(message).execute()).await {
            Ok(answer) => Ok(Route::parse(&answer)),
            Err(RequestError::Rejected(errno)) => {
                Route::of_errno(errno.raw_os_error()).ok_or(RequestError::Rejected(errno))
            }
            Err(error) => Err(error),
        }
    }

    /// Requests that the kernel resolves `next_hop`, and keeps the entry.
    pub(super) async fn keep(&self, next_hop: NextHop, keep: Keep) -> Result<(), RequestError> {
        let NextHop { link, address } = next_hop;
        let mut request =
            self.handle.neighbours().add(link.get(), address).state(NeighbourState::None).replace();
        match keep {
            Keep::Managed => {
                let managed = NeighbourAttribute::ExtFlags(NeighbourExtFlags::Managed);
                request.message_mut().attributes.push(managed);
            }
            Keep::Once => request.message_mut().header.flags = NeighbourFlags::Use,
        }
        request.message_mut().attributes.push(NeighbourAttribute::Protocol(PROTOCOL));
        timeout(ANSWER_TIMEOUT, request.execute()).await.map_err(|_| RequestError::NoAnswer)??;
        Ok(())
    }
}

/// A request for the route to `remote`.
fn request(remote: IpAddr, source: Option<IpAddr>) -> RouteMessage {
    match (remote, source) {
        (IpAddr::V4(remote), Some(IpAddr::V4(source))) => {
            let request = RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(remote, 32);
            request.source_prefix(source, 32).ip_protocol(UDP).build()
        }
        (IpAddr::V6(remote), Some(IpAddr::V6(source))) => {
            let request = RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(remote, 128);
            request.source_prefix(source, 128).ip_protocol(UDP).build()
        }
        (IpAddr::V4(remote), _) => {
            RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(remote, 32).build()
        }
        (IpAddr::V6(remote), _) => {
            RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(remote, 128).build()
        }
    }
}

/// The first answer to a request.
async fn first<T>(answers: impl Stream<Item = Result<T, rtnetlink::Error>>) -> Result<T, RequestError> {
    let mut answers = std::pin::pin!(answers);
    let answer = timeout(ANSWER_TIMEOUT, answers.try_next()).await.map_err(|_| RequestError::NoAnswer)??;
    answer.ok_or(RequestError::NoAnswer)
}
