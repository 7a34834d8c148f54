//! The kernel's announcements of links, and of the host's addresses on them (rtnetlink), received by a thread
//! of their own: both the list of all links and the ioctls that each announcement leads to may wait for the
//! RTNL lock.

use std::io;
use std::net::IpAddr;
use std::thread;

use futures::channel::mpsc::UnboundedReceiver;
use futures::{StreamExt, TryStreamExt};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::sys::SocketAddr;
use rtnetlink::{MulticastGroup, new_multicast_connection};
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::event::LinkEvent;
use super::link::Link;
use super::table::Links;
use crate::types::IfIndex;

/// Why the links cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum LinksError {
    /// The kernel rejects the netlink socket.
    #[error("cannot open a netlink socket: {0}")]
    Open(#[from] io::Error),
    /// The thread that receives the announcements panicked, which is a bug.
    #[error("the thread that watches the links has died")]
    Died,
    /// The kernel rejects the request for the list of links.
    #[error("cannot list the links: {0}")]
    Dump(#[from] rtnetlink::Error),
}

/// Link events of the namespace that it was opened in. Its thread ends when this is dropped.
#[derive(Debug)]
pub struct LinkWatch {
    events: mpsc::UnboundedReceiver<Result<LinkEvent, LinksError>>,
}

impl LinkWatch {
    /// Lists all links, and subscribes to the changes after that.
    ///
    /// # Errors
    /// [`LinksError`] when the kernel refuses the socket or the list.
    pub async fn open() -> Result<(Links, Self), LinksError> {
        let (first, links) = oneshot::channel();
        let (sender, events) = mpsc::unbounded_channel();
        thread::Builder::new().name("links".to_owned()).spawn(move || watch(first, &sender))?;
        let links = links.await.map_err(|_| LinksError::Died)??;
        Ok((links, Self { events }))
    }

    /// Waits for the next event. Cancel-safe.
    ///
    /// # Errors
    /// [`LinksError`] when announcements were lost and the links cannot be listed again.
    pub async fn next(&mut self) -> Result<LinkEvent, LinksError> {
        self.events.recv().await.unwrap_or(Err(LinksError::Died))
    }
}

/// Sends the links to `first`, and then events to `events` until the receiver is dropped.
fn watch(
    first: oneshot::Sender<Result<Links, LinksError>>,
    events: &mpsc::UnboundedSender<Result<LinkEvent, LinksError>>,
) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(first.send(Err(error.into()))),
    };
    runtime.block_on(async {
        let mut subscription = match Subscription::open().await {
            Ok((links, subscription)) => {
                drop(first.send(Ok(links)));
                subscription
            }
            Err(error) => return drop(first.send(Err(error))),
        };
        loop {
            let event = tokio::select! {
                event = subscription.next() => event,
                () = events.closed() => return,
            };
            let failed = event.is_err();
            if events.send(event).is_err() || failed {
                return;
            }
        }
    });
}

/// A netlink socket in the group of link announcements.
#[derive(Debug)]
struct Subscription {
    announcements: UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>,
    /// Reads the socket; aborted when this is dropped.
    _reader: JoinSet<()>,
    /// Whether announcements were lost. A field, because `next` may be dropped before all links are listed
    /// again.
    lost: bool,
}

impl Subscription {
    async fn open() -> Result<(Links, Self), LinksError> {
        // Subscribed before the dump, so that a change during it is announced.
        let (connection, handle, announcements) = new_multicast_connection(&[
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
        ])?;
        let mut reader = JoinSet::new();
        reader.spawn(connection);
        let mut links = Links::default();
        let mut dump = handle.link().get().execute();
        while let Some(message) = dump.try_next().await? {
            if let Some(link) = Link::parse(&message) {
                links.insert(link);
            }
        }
        let mut dump = handle.address().get().execute();
        while let Some(message) = dump.try_next().await? {
            if let Some((ifindex, address)) = parse_address(&message) {
                links.add_address(ifindex, address);
            }
        }
        let mut subscription = Self { announcements, _reader: reader, lost: false };
        subscription.catch_up(&mut links);
        Ok((links, subscription))
    }

    async fn next(&mut self) -> Result<LinkEvent, LinksError> {
        while !self.lost {
            match self.announcements.next().await {
                Some((message, _)) => match parse(message) {
                    Announcement::Event(event) => return Ok(event),
                    Announcement::Overrun => self.lost = true,
                    Announcement::Other => {}
                },
                None => self.lost = true,
            }
        }
        tracing::warn!("announcements of links were lost: all links are listed again");
        // A fresh socket: the old one's queue may hold announcements older than the new list.
        let (links, subscription) = Self::open().await?;
        *self = subscription;
        Ok(LinkEvent::Resync(links))
    }

    /// Applies the announcements that arrived during the dump, which would otherwise take links through
    /// former states.
    fn catch_up(&mut self, links: &mut Links) {
        while let Ok((message, _)) = self.announcements.try_recv() {
            match parse(message) {
                Announcement::Event(event) => event.apply(links),
                Announcement::Overrun => self.lost = true,
                Announcement::Other => {}
            }
        }
    }
}

/// The link and the address of an announcement: the host's own end, if the link is point-to-point.
fn parse_address(message: &AddressMessage) -> Option<(IfIndex, IpAddr)> {
    let (mut own, mut address) = (None, None);
    for attribute in &message.attributes {
        if let AddressAttribute::Local(found) = attribute {
            own = Some(*found);
        } else if let AddressAttribute::Address(found) = attribute {
            address = Some(*found);
        }
    }
    Some((IfIndex::new(message.header.index)?, own.or(address)?))
}

enum Announcement {
    Event(LinkEvent),
    Overrun,
    Other,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "rtnetlink has some 50 messages; these are about links")]
fn parse(message: NetlinkMessage<RouteNetlinkMessage>) -> Announcement {
    let event = match message.payload {
        NetlinkPayload::Overrun(_) => return Announcement::Overrun,
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(message)) => {
            Link::parse(&message).map(LinkEvent::Changed)
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(message)) => {
            Link::parse(&message).map(|link| LinkEvent::Gone(link.ifindex))
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(message)) => {
            parse_address(&message).map(|(ifindex, address)| LinkEvent::AddressAdded(ifindex, address))
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelAddress(message)) => {
            parse_address(&message).map(|(ifindex, address)| LinkEvent::AddressRemoved(ifindex, address))
        }
        _ => None,
    };
    event.map_or(Announcement::Other, Announcement::Event)
}
