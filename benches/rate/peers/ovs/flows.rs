//! The flows that Dragonflow would install for the ports of a testbed.
//!
//! Classification, destination, dispatch: tables 0, 1 and 2, with the source's network in `metadata` and the
//! destination in `reg7`.

use crate::frames::{CLIENT, SERVER, SERVER_PORT};
use crate::job::{FILTERED_VID, P2, P3, P4, REMOTE, subport, vids};
use crate::peers::subport_key;
use crate::underlay::REMOTE_KEY;
use testkit::records::text;

/// Zones of the connections of ports with security groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zones {
    OfPorts,
    OfNetwork,
}

/// All flows, one per line.
pub fn all() -> String {
    let parent = "table=0,priority=100,in_port=1 actions=set_field:1->metadata,goto_table:1\n".to_owned();
    let port = |(key, mac)| {
        let mac = text(mac);
        format!(
            "table=0,priority=100,in_port={key} actions=set_field:2->metadata,goto_table:1\n\
             table=1,metadata=2,dl_dst={mac} actions=set_field:{key}->reg7,goto_table:2\n\
             table=2,reg7={key} actions=output:{key}\n"
        )
    };
    let ports = [(3, P3), (4, P4)].map(port);
    [parent].into_iter().chain(ports).chain(vids().map(of_subport)).collect()
}

/// Flows of the tunnel `port` to the other host, and of the port there.
pub fn of_tunnel(port: u32) -> String {
    let mac = text(REMOTE);
    format!(
        "table=0,priority=100,in_port={port} actions=set_field:2->metadata,goto_table:1\n\
         table=1,metadata=2,dl_dst={mac} actions=set_field:{REMOTE_KEY}->reg7,goto_table:2\n\
         table=2,reg7={REMOTE_KEY} actions=output:{port}\n"
    )
}

/// Flows of the subport with this VID.
pub fn of_subport(vid: u16) -> String {
    let (key, mac, tci) = (subport_key(vid), text(subport(vid)), 0x1000 | vid);
    format!(
        "table=0,priority=150,in_port=1,dl_vlan={vid} actions=pop_vlan,set_field:2->metadata,goto_table:1\n\
         table=1,metadata=2,dl_dst={mac} actions=set_field:{key}->reg7,goto_table:2\n\
         table=2,reg7={key} actions=push_vlan:0x8100,set_field:{tci}->vlan_vid,output:1\n"
    )
}

/// Flows of the two ports with security groups: rules of the sender in table 3, of the receiver in table 5. With a
/// zone of connections for each port, as in OVN, a packet is looked up in both. With a zone for the network, as in
/// Neutron's `openvswitch` firewall driver, it is looked up once.
pub fn of_groups(zones: Zones) -> String {
    let (key, vid, tci) = (subport_key(FILTERED_VID), FILTERED_VID, 0x1000 | FILTERED_VID);
    let (client, server) = (text(subport(FILTERED_VID)), text(P2));
    let opens = format!("ct_state=+trk+new-inv,udp,tp_dst={SERVER_PORT}");
    let (of_client, of_server) = (1, if zones == Zones::OfPorts { 2 } else { 1 });
    let (remember, look_up): (_, &dyn Fn(u16) -> String) = match zones {
        Zones::OfPorts => ("ct(commit,zone=1),", &|zone| format!("ct(table=5,zone={zone})")),
        Zones::OfNetwork => ("", &|_| "goto_table:5".to_owned()),
    };
    let (to_client, to_server) = (look_up(of_client), look_up(of_server));
    format!(
        "table=0,priority=200,in_port=1,dl_vlan={vid},ip,dl_src={client},nw_src={CLIENT} \
         actions=pop_vlan,set_field:2->metadata,set_field:1->reg6,ct(table=3,zone={of_client})\n\
         table=0,priority=200,in_port=2,ip,dl_src={server},nw_src={SERVER} \
         actions=set_field:2->metadata,set_field:2->reg6,ct(table=3,zone={of_server})\n\
         table=3,ct_state=+trk+est-inv actions=goto_table:4\n\
         table=3,reg6=1,{opens} actions={remember}goto_table:4\n\
         table=4,ip,metadata=2,dl_dst={client} actions=set_field:{key}->reg7,{to_client}\n\
         table=4,ip,metadata=2,dl_dst={server} actions=set_field:2->reg7,{to_server}\n\
         table=5,ct_state=+trk+est-inv actions=goto_table:6\n\
         table=5,reg7=2,{opens} actions=ct(commit,zone={of_server}),goto_table:6\n\
         table=6,reg7={key} actions=push_vlan:0x8100,set_field:{tci}->vlan_vid,output:1\n\
         table=6,reg7=2 actions=output:2\n"
    )
}
