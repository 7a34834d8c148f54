//! Which devices are to carry which logical ports. Pure.

use std::collections::BTreeMap;

use super::links::{Links, device_for, wanted_device};
use crate::config::Config;
use crate::nb::{Binding, LogicalPort, Northbound};
use crate::tables::Claims;
use crate::types::{IfIndex, Problem};

/// The ports that are to be here with a device of their own.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Desired {
    /// Devices that are there and switched on: the id of their port.
    pub(super) devices: BTreeMap<IfIndex, String>,
    /// Ports bound to this chassis: by id, the device, or why there is none to use.
    pub(super) ports: BTreeMap<String, Result<IfIndex, String>>,
    /// What is wrong with them.
    pub(super) problems: Vec<Problem>,
}

/// Works out the ports that are bound to `config.chassis` and are no subports (those need no device), and finds
/// their devices among `links`.
pub(super) fn desired(nb: &Northbound, claims: &Claims<'_>, links: &Links, config: &Config) -> Desired {
    let mut desired = Desired::default();
    let here = |port: &&LogicalPort| {
        port.binding == Some(Binding::Chassis(config.chassis.clone())) && claims.parent_of(&port.id).is_none()
    };
    for port in nb.lports.values().filter(here) {
        let device = match device_for(links, &port.id, &config.attach) {
            Ok(Some(link)) if !link.up => Err(format!("link {} is down", link.name)),
            Ok(Some(link)) => desired.claim(link.ifindex, &link.name, &port.id),
            Ok(None) => Err(format!("no device: {}", wanted_device(&port.id, &config.attach))),
            Err(problem) => {
                let reason = problem.reason.clone();
                desired.problems.push(problem);
                Err(reason)
            }
        };
        desired.ports.insert(port.id.clone(), device);
    }
    desired
}

impl Desired {
    /// Gives the device to `lport` unless another port has it.
    fn claim(&mut self, ifindex: IfIndex, name: &str, lport: &str) -> Result<IfIndex, String> {
        if let Some(holder) = self.devices.get(&ifindex) {
            let reason = format!("link {name} is lport {holder}'s already: a device is one port's");
            self.problems.push(Problem::new(format!("lport {lport}"), reason.clone()));
            return Err(reason);
        }
        self.devices.insert(ifindex, lport.to_owned());
        Ok(ifindex)
    }
}
