//! Which devices are to carry which logical ports. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::links::{Links, device_for, wanted_device};
use crate::config::Config;
use crate::nb::{Binding, Northbound};
use crate::tables::{Touched, parent_of};
use crate::types::IfIndex;

/// The ports that are to be here with a device of their own: those that are bound to this chassis and are no
/// subports.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Desired {
    /// What was found for each port by itself: its device, or why there is none to use.
    found: BTreeMap<String, Result<IfIndex, String>>,
    /// The same, after each device went to one port at the most.
    pub(super) ports: BTreeMap<String, Result<IfIndex, String>>,
    /// The port of each device.
    pub(super) devices: BTreeMap<IfIndex, String>,
}

impl Desired {
    /// Looks for the devices of the touched ports.
    pub(super) fn look_for(&mut self, touched: &Touched, nb: &Northbound, links: &Links, config: &Config) {
        for lport in touched {
            match find(lport, nb, links, config) {
                Some(found) => drop(self.found.insert(lport.clone(), found)),
                None => drop(self.found.remove(lport)),
            }
        }
        self.share_out(links);
    }

    /// Looks for the devices of all ports that are bound here, for the links have changed.
    pub(super) fn look_for_all(&mut self, nb: &Northbound, links: &Links, config: &Config) {
        let bound: BTreeSet<_> = nb.lports_at(&config.chassis).map(|port| port.id.clone()).collect();
        self.look_for(&bound, nb, links, config);
    }

    /// Gives each device to the port with the lowest id that wants it.
    fn share_out(&mut self, links: &Links) {
        self.devices.clear();
        self.ports.clear();
        for (lport, found) in &self.found {
            let device = found.clone().and_then(|ifindex| match self.devices.get(&ifindex) {
                None => {
                    self.devices.insert(ifindex, lport.clone());
                    Ok(ifindex)
                }
                Some(holder) => {
                    let name = links.get(&ifindex).map_or("?", |link| &link.name);
                    Err(format!("link {name} is lport {holder}'s already: a device is one port's"))
                }
            });
            self.ports.insert(lport.clone(), device);
        }
    }
}

/// The device of a port, or why there is none to use; `None` if it is not to have one here.
fn find(lport: &str, nb: &Northbound, links: &Links, config: &Config) -> Option<Result<IfIndex, String>> {
    let port = nb.lports().get(lport)?;
    let bound_here = matches!(&port.binding, Some(Binding::Chassis(chassis)) if *chassis == config.chassis);
    if !bound_here || parent_of(nb, lport).is_some() {
        return None;
    }
    Some(match device_for(links, lport, &config.attach) {
        Ok(Some(link)) if !link.up => Err(format!("link {} is down", link.name)),
        Ok(Some(link)) => Ok(link.ifindex),
        Ok(None) => Err(format!("no device: {}", wanted_device(lport, &config.attach))),
        Err(problem) => Err(problem.reason),
    })
}
