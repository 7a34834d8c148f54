//! Simulated links, for a reconciler without a kernel.

use std::collections::VecDeque;
use std::future::pending;
use std::net::IpAddr;

use trunkpath::config::{Config, LinkOptions, Settings};
use trunkpath::control::links::{Link, Links};
use trunkpath::control::{BackendEvent, LinkBackend, Reconciler};
use trunkpath::tables::{LinkSlot, Steering};
use trunkpath::types::IfIndex;
use trunkpath::worker::WorkerPoolError;

/// Opens every link at once, except [held](is_held) ones.
#[derive(Debug, Default)]
pub struct Simulated {
    events: VecDeque<BackendEvent<(), &'static str>>,
}

impl LinkBackend for Simulated {
    type Handle = ();
    type Error = &'static str;

    fn open(&mut self, link: &Link, _: LinkSlot, _: LinkOptions) {
        let outcome = if is_held(link) {
            Err("another program holds the link")
        } else {
            Ok(((), vec![0; usize::from(link.rx_queues)]))
        };
        self.events.push_back(BackendEvent::Opened { ifindex: link.ifindex, outcome });
    }

    async fn next(&mut self) -> BackendEvent<(), &'static str> {
        match self.events.pop_front() {
            Some(event) => event,
            None => pending().await,
        }
    }

    async fn connect(&mut self, _: LinkSlot, (): &mut ()) -> Result<(), WorkerPoolError> {
        Ok(())
    }

    fn steer(&mut self, (): &mut (), _: Option<IpAddr>, _: &Steering) {}

    async fn release(&mut self, _: LinkSlot, (): ()) {}

    fn discard(&mut self, _: IfIndex) {}
}

/// Whether another program holds the link: it has the name `held`.
pub fn is_held(link: &Link) -> bool {
    link.name == "held"
}

/// A link that is up, with the alias `lport`.
pub fn link(ifindex: u32, lport: &str) -> Link {
    Link {
        ifindex: IfIndex::new(ifindex).unwrap(),
        name: format!("sim{ifindex}"),
        alias: Some(lport.to_owned()),
        kind: None,
        mtu: 1500,
        mac: None,
        up: true,
        carrier: true,
        rx_queues: 1,
        tx_queues: 1,
    }
}

/// A reconciler of chassis `chassis` with these links.
pub fn reconciler(chassis: &str, links: impl IntoIterator<Item = Link>) -> Reconciler<Simulated> {
    let settings = Settings { chassis: Some(chassis.to_owned()), ..Settings::default() };
    reconciler_with(settings, links.into_iter().collect())
}

/// A reconciler with these settings and links.
pub fn reconciler_with(settings: Settings, links: Links) -> Reconciler<Simulated> {
    let config: Config = settings.check().unwrap();
    Reconciler::new(config, links, |_, _| Ok::<_, std::convert::Infallible>(Simulated::default())).unwrap()
}
