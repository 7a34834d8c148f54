//! Links without a kernel: what takes them only pretends to.

use trunkpath::config::{Config, PortOptions, Settings};
use trunkpath::control::links::{Link, Links};
use trunkpath::control::{Devices, Plane};
use trunkpath::tables::{LinkSlot, WorkerId};
use trunkpath::types::IfIndex;
use trunkpath::worker::WorkerPoolError;

/// Takes every link that it is offered, but those that are [held](is_held).
#[derive(Debug)]
pub struct Simulated;

impl Devices for Simulated {
    type Handle = ();

    fn take(&mut self, link: &Link, _: LinkSlot, _: PortOptions) -> Result<((), Vec<WorkerId>), String> {
        if is_held(link) {
            return Err("another program holds the link".to_owned());
        }
        Ok(((), vec![0; usize::from(link.rx_queues)]))
    }

    async fn connect(&mut self, _: LinkSlot, (): &mut ()) -> Result<(), WorkerPoolError> {
        Ok(())
    }

    async fn release(&mut self, _: LinkSlot, (): ()) {}

    fn keep(&mut self, _: impl Fn(IfIndex) -> bool) {}
}

/// Whether another program holds the link: its name says so.
pub fn is_held(link: &Link) -> bool {
    link.name == "held"
}

/// A link that is on, for the logical port `lport`.
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

/// A plane of chassis `chassis` with these links.
pub fn plane(chassis: &str, links: impl IntoIterator<Item = Link>) -> Plane<Simulated> {
    let settings = Settings { chassis: Some(chassis.to_owned()), ..Settings::default() };
    let config: Config = settings.check().unwrap();
    let links: Links = links.into_iter().collect();
    Plane::new(config, links, |_, _| Ok::<_, std::convert::Infallible>(Simulated)).unwrap()
}
