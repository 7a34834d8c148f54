//! The kernel's announcements of links (rtnetlink, group `RTNLGRP_LINK`), on a thread of their own: both the list of all
//! links and the questions that each announcement leads to may wait for the RTNL lock.

use std::io;
use std::thread;

use futures::channel::mpsc::UnboundedReceiver;
use futures::{StreamExt, TryStreamExt};
use rtnetlink::packet_core::{NetlinkMessage, NetlinkPayload};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::SocketAddr;
use rtnetlink::{MulticastGroup, new_multicast_connection};
use tokio::runtime;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::{Link, Links};
use crate::types::IfIndex;

/// The links cannot be watched.
#[derive(Debug, thiserror::Error)]
pub enum LinksError {
    /// No netlink socket.
    #[error("cannot open a netlink socket: {0}")]
    Open(#[from] io::Error),
    /// The thread that watches them panicked, which is a bug.
    #[error("the thread that watches the links has died")]
    Died,
    /// The list of links could not be read.
    #[error("cannot list the links: {0}")]
    Dump(#[from] rtnetlink::Error),
}

/// Something happened to the links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// A link is new, or is now like this.
    Changed(Link),
    /// A link was deleted, or moved to another namespace.
    Gone(IfIndex),
    /// Announcements were lost (the socket's buffer was full): these are all links now.
    Resync(Links),
}

impl LinkEvent {
    /// Brings `links` up to date.
    pub fn apply(self, links: &mut Links) {
        match self {
            Self::Changed(link) => links.insert(link),
            Self::Gone(ifindex) => links.remove(ifindex),
            Self::Resync(all) => *links = all,
        }
    }
}

/// The links of the namespace that it was opened in, and what happens to them. Its thread ends with it.
#[derive(Debug)]
pub struct LinkWatch {
    events: mpsc::UnboundedReceiver<Result<LinkEvent, LinksError>>,
}

impl LinkWatch {
    /// Lists all links and subscribes to what happens from then on.
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

    /// Waits for the next event. May be dropped while it waits: nothing is lost.
    ///
    /// # Errors
    /// [`LinksError`] when announcements were lost and the links cannot be listed again.
    pub async fn next(&mut self) -> Result<LinkEvent, LinksError> {
        self.events.recv().await.unwrap_or(Err(LinksError::Died))
    }
}

/// Sends the links to `first`, and then events to `events` until nobody receives them.
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

/// A subscription to announcements.
#[derive(Debug)]
struct Subscription {
    announcements: UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>,
    /// Reads the socket; ends with us.
    _reader: JoinSet<()>,
    /// Survives a dropped `next`, so that what was lost is never forgotten.
    lost: bool,
}

impl Subscription {
    async fn open() -> Result<(Links, Self), LinksError> {
        // Subscribed before the dump: what happens during it is announced, and no change falls between.
        let (connection, handle, announcements) = new_multicast_connection(&[MulticastGroup::Link])?;
        let mut reader = JoinSet::new();
        reader.spawn(connection);
        let mut links = Links::default();
        let mut dump = handle.link().get().execute();
        while let Some(message) = dump.try_next().await? {
            if let Some(link) = Link::read(&message) {
                links.insert(link);
            }
        }
        let mut subscription = Self { announcements, _reader: reader, lost: false };
        subscription.catch_up(&mut links);
        Ok((links, subscription))
    }

    async fn next(&mut self) -> Result<LinkEvent, LinksError> {
        while !self.lost {
            match self.announcements.next().await {
                Some((message, _)) => match read(message) {
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

    /// Applies what was announced during the dump. One by one, they would take links through states that
    /// are over already.
    fn catch_up(&mut self, links: &mut Links) {
        while let Ok((message, _)) = self.announcements.try_recv() {
            match read(message) {
                Announcement::Event(event) => event.apply(links),
                Announcement::Overrun => self.lost = true,
                Announcement::Other => {}
            }
        }
    }
}

enum Announcement {
    Event(LinkEvent),
    Overrun,
    Other,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "rtnetlink has some 50 messages; two are about links")]
fn read(message: NetlinkMessage<RouteNetlinkMessage>) -> Announcement {
    let event = match message.payload {
        NetlinkPayload::Overrun(_) => return Announcement::Overrun,
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(message)) => {
            Link::read(&message).map(LinkEvent::Changed)
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(message)) => {
            Link::read(&message).map(|link| LinkEvent::Gone(link.ifindex))
        }
        _ => None,
    };
    event.map_or(Announcement::Other, Announcement::Event)
}
