//! The flows of a scenario: Dragonflow's tables 0 (classification), 55 (L2 lookup) and 115 (dispatch). The
//! tables between them do nothing without port security and routers.
//!
//! reg6 is the source port, reg7 the destination port, metadata the network.

use super::difference::Pipeline;
use testkit::scenario::{Port, Scenario, Segmentation};

const GROUP: &str = "01:00:00:00:00:00/01:00:00:00:00:00";

/// The flows, one a line. The port of link number `n` is `OpenFlow` port `n + 1`.
pub fn flows(scenario: &Scenario, pipeline: Pipeline) -> String {
    let compiler = Compiler { scenario, pipeline };
    let links = (1..).zip(&scenario.links).flat_map(|(number, link)| compiler.link(number, &link.port));
    let segmentations = scenario.segmentations.values().flat_map(|s| compiler.segmentation(s));
    let networks = scenario.networks.keys().flat_map(|network| compiler.network(network));
    let next = ["table=0,priority=1 actions=resubmit(,55)".to_owned()];
    let flows: Vec<String> = links.chain(segmentations).chain(networks).chain(next).collect();
    flows.join("\n")
}

struct Compiler<'a> {
    scenario: &'a Scenario,
    pipeline: Pipeline,
}

impl Compiler<'_> {
    /// Flows from and to a port that has a link.
    fn link(&self, number: usize, port: &str) -> [String; 2] {
        let key = self.scenario.ports[port].key;
        let source = self.load_source(port);
        // A frame does not leave by its in_port, unless that is cleared.
        let next = match self.pipeline {
            Pipeline::Spec => "resubmit(,55)",
            Pipeline::Dragonflow | Pipeline::Mended => "load:0->NXM_OF_IN_PORT[],resubmit(,0)",
        };
        [
            format!("table=0,priority=100,in_port={number} actions={source},{next}"),
            format!("table=115,priority=100,reg7={key} actions=output:{number}"),
        ]
    }

    /// Flows from and to a subport.
    fn segmentation(&self, segmentation: &Segmentation) -> [String; 2] {
        let Segmentation { parent, port, vid } = segmentation;
        let (parent_key, key) = (self.scenario.ports[parent].key, self.scenario.ports[port].key);
        let source = self.load_source(port);
        match self.pipeline {
            Pipeline::Spec => {
                let number = self.link_number(parent);
                [
                    format!(
                        "table=0,priority=150,in_port={number},dl_vlan={vid} actions=strip_vlan,{source},resubmit(,55)"
                    ),
                    format!("table=115,priority=100,reg7={key} actions=mod_vlan_vid:{vid},output:{number}"),
                ]
            }
            Pipeline::Dragonflow | Pipeline::Mended => {
                let tci = 0x1000 | vid;
                [
                    format!(
                        "table=0,priority=200,reg6={parent_key},dl_vlan={vid} actions={source},pop_vlan,resubmit(,0)"
                    ),
                    format!(
                        "table=115,priority=200,reg7={key} actions=push_vlan:0x8100,set_field:{tci}->vlan_vid,load:{parent_key}->NXM_NX_REG7[],resubmit(,115)"
                    ),
                ]
            }
        }
    }

    /// Flows to the ports of a network, by address or to all.
    fn network(&self, network: &str) -> Vec<String> {
        let key = self.scenario.networks[network];
        let members: Vec<&Port> =
            self.scenario.ports.values().filter(|port| port.network == network).collect();
        let lookup = |port: &&Port| {
            let (mac, dispatch) = (mac_text(port), dispatch(port));
            format!("table=55,priority=100,metadata={key},dl_dst={mac} actions={dispatch}")
        };
        let all: Vec<String> = members.iter().map(|port| dispatch(port)).collect();
        let flood = format!("table=55,priority=100,metadata={key},dl_dst={GROUP} actions={}", all.join(","));
        let mended = match self.pipeline {
            Pipeline::Spec | Pipeline::Dragonflow => Vec::new(),
            Pipeline::Mended => members.iter().flat_map(|port| mended(port, key, &members)).collect(),
        };
        members.iter().map(lookup).chain([flood]).chain(mended).collect()
    }

    fn load_source(&self, port: &str) -> String {
        let Port { key, network, .. } = &self.scenario.ports[port];
        format!("load:{key}->NXM_NX_REG6[],load:{}->OXM_OF_METADATA[]", self.scenario.networks[network])
    }

    /// `OpenFlow` port of a port with a link. The specification has no subports of subports.
    fn link_number(&self, port: &str) -> usize {
        self.scenario.links.iter().position(|link| link.port == port).expect("a parent with a link") + 1
    }
}

fn dispatch(port: &Port) -> String {
    format!("load:{}->NXM_NX_REG7[],resubmit(,115)", port.key)
}

/// Flows from `port`: no copy to itself, and an unchanged copy to each of the others.
fn mended(port: &Port, network: u32, members: &[&Port]) -> [String; 2] {
    let (source, mac) = (port.key, mac_text(port));
    let from = format!("table=55,priority=200,reg6={source},metadata={network}");
    let others = members.iter().filter(|other| other.key != source);
    let copies: Vec<String> = others.map(|other| format!("clone({})", dispatch(other))).collect();
    [
        format!("{from},dl_dst={mac} actions=drop"),
        format!("{from},dl_dst={GROUP} actions={}", copies.join(",")),
    ]
}

/// The address of a port that has one.
fn mac_text(port: &Port) -> String {
    let [mac] = port.macs[..] else { panic!("one address: {port:?}") };
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
