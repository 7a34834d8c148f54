//! Holder of an address in an address pair: the only port that claims it, or the one of several that
//! announced it last.

use std::collections::BTreeMap;

use super::records;
use crate::scenario::{Mac, Scenario};

type Address = (String, Mac);

/// Holders by announcement. Only source addresses of frames announce here, not ARP or neighbour discovery.
#[derive(Debug, Default)]
pub struct Holders {
    /// Time in milliseconds, set by the test.
    pub now: u64,
    /// Holder of each address, and the time when it moved there.
    held: BTreeMap<Address, (String, u64)>,
    /// By port: addresses that moved to it, and moves that were refused.
    pub moves: BTreeMap<String, (u64, u64)>,
}

impl Holders {
    /// Applies a frame of `port` with this source address.
    pub fn announce(&mut self, scenario: &Scenario, port: &str, source: &[u8]) {
        let network = &scenario.ports[port].network;
        let claimants = claimants(scenario, network, source);
        if claimants.len() < 2 || !claimants.contains(&port) {
            return;
        }
        let address = (network.clone(), source.try_into().unwrap());
        let (moves, refused) = self.moves.entry(port.to_owned()).or_default();
        match self.held.get(&address) {
            Some((holder, _)) if holder == port => {}
            Some((_, since)) if self.now < since + 1000 => *refused += 1,
            Some(_) | None => {
                *moves += 1;
                self.held.insert(address, (port.to_owned(), self.now));
            }
        }
    }

    /// Holder of an address that no port has as its own.
    pub fn holder(&self, scenario: &Scenario, network: &str, mac: &[u8]) -> Option<String> {
        match *claimants(scenario, network, mac) {
            [only] => Some(only.to_owned()),
            _ => self.held.get(&(network.to_owned(), mac.try_into().unwrap())).map(|(port, _)| port.clone()),
        }
    }
}

/// Ports on the network that are up and have a pair with this address; none if a port there has it as its
/// own.
fn claimants<'a>(scenario: &'a Scenario, network: &str, mac: &[u8]) -> Vec<&'a str> {
    let ports = || scenario.ports.iter().filter(|(_, port)| port.network == network);
    if ports().any(|(_, port)| port.macs.iter().any(|own| own == mac)) {
        return Vec::new();
    }
    let claim = ports()
        .filter(|(id, port)| port.pairs.iter().any(|pair| pair == mac) && records::is_up(scenario, id));
    claim.map(|(id, _)| id.as_str()).collect()
}
