//! The flows that Dragonflow would install for the ports of a testbed.
//!
//! Classification, destination, dispatch: tables 0, 1 and 2, with the source's network in `metadata` and the
//! destination in `reg7`.

use crate::job::{P3, P4, REMOTE, subport, vids};
use crate::peers::subport_key;
use crate::underlay::REMOTE_KEY;
use testkit::records::text;

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
