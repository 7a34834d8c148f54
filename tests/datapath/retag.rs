//! A frame that waited for another worker leaves with the tags that its port has by then.

use trunkpath::datapath::retag;
use trunkpath::tables::{LINK_OWNER, LinkSlot, PortSlot, Tags};
use trunkpath::types::VlanId;

use crate::frames::{frame, payload, tci};
use crate::switch::Switch;
use crate::world::{PEER_B, WEB, World};

fn tags(vids: &[u16]) -> Tags {
    vids.iter().map(|vid| VlanId::new(*vid).unwrap()).collect()
}

#[test]
fn a_handed_over_frame_gets_the_tags_of_the_newest_tables() {
    let inner = [(0x8100, tci(6, 0, 7))];
    let untagged = frame(WEB, PEER_B, &inner, &payload());
    for old in [&[100][..], &[100, 200], &[]] {
        let switch = Switch::new(&World::vm_and_peers());
        let tables = &switch.tables;
        let web = tables.network(
            tables.port(PortSlot { link: LinkSlot(2), number: LINK_OWNER }).unwrap().network.unwrap(),
        );
        let web = web.unwrap().macs[&trunkpath::types::MacAddr::new(WEB)];
        let mut waiting = switch.outlet.arena.take().unwrap();
        waiting.clear();
        let vids: Vec<u16> = old.iter().rev().map(|vid| tci(6, 0, *vid)).collect();
        let old_tags: Vec<_> = vids.iter().map(|tci| (0x8100, *tci)).chain(inner).collect();
        assert!(waiting.extend([&frame(WEB, PEER_B, &old_tags, &payload())[..]], || None));
        retag(&mut waiting, &tags(old), tables.egress(web).unwrap()).unwrap();
        let wanted = [&untagged[..12], &[0x81, 0, 0xc0, 100], &untagged[12..]].concat();
        assert_eq!(waiting.to_vec(), wanted, "{old:?}");
    }
}
