//! The rules of the datapath, one example each.

use trunkpath::datapath::DropReason;

use crate::frames::{BROADCAST, Checksum, Packet, frame, payload, tagged, tci};
use crate::switch::{Sent, Switch};
use crate::world::{Mac, PEER_A, PEER_B, VM, WEB, World};

/// Sends `bytes` from the VM, and expects them to arrive at its peer on network `a` as they are.
fn assert_passes_as_is(bytes: &[u8]) {
    let sent = Switch::new(&World::vm_and_peers()).send("vm", bytes);
    assert_eq!(sent, [("peer-a".to_owned(), bytes.to_vec())]);
}

/// Sends `bytes` from `link`, and expects them to be dropped for `reason`, on account of `port`.
fn assert_dropped(world: &World, link: &str, bytes: &[u8], port: &str, reason: DropReason) {
    let mut switch = Switch::new(world);
    assert_eq!(switch.send(link, bytes), []);
    assert_eq!(switch.drops(), [((Some(port.to_owned()), reason), 1)].into());
}

fn by(link: &str, bytes: Vec<u8>) -> [Sent; 1] {
    [(link.to_owned(), bytes)]
}

#[test]
fn a_tag_that_no_segmentation_has_stays_as_it_came() {
    for vid in [0, 1, 99, 101, 4094, 4095] {
        assert_passes_as_is(&tagged(PEER_A, VM, &[tci(3, 1, vid)]));
    }
    for tpid in [0x88a8, 0x9100] {
        assert_passes_as_is(&frame(PEER_A, VM, &[(tpid, 100)], &payload()));
    }
}

#[test]
fn only_the_outermost_tag_is_looked_at() {
    assert_passes_as_is(&tagged(PEER_A, VM, &[7, 100]));
    let sent = Switch::new(&World::vm_and_peers()).send("vm", &tagged(PEER_B, WEB, &[100, 100]));
    assert_eq!(sent, by("peer-b", tagged(PEER_B, WEB, &[100])));
}

#[test]
fn a_pushed_tag_stacks_on_one_that_is_there_and_has_its_priority() {
    let inner = [tci(5, 1, 7)];
    let sent = Switch::new(&World::vm_and_peers()).send("peer-b", &tagged(WEB, PEER_B, &inner));
    assert_eq!(sent, by("vm", tagged(WEB, PEER_B, &[tci(5, 1, 100), inner[0]])));
}

#[test]
fn priority_survives_from_one_subport_to_another() {
    let db: Mac = [2, 0, 0, 0, 0, 3];
    let world = World::vm_and_peers().port("db", 3, "b", db).segmentation("s2", "vm", 200, "db");
    for (pcp, dei) in (0..8).flat_map(|pcp| [(pcp, 0), (pcp, 1)]) {
        let sent = Switch::new(&world).send("vm", &tagged(db, WEB, &[tci(pcp, dei, 100)]));
        assert_eq!(sent, by("vm", tagged(db, WEB, &[tci(pcp, dei, 200)])), "out of the link it came from");
    }
}

#[test]
fn parent_and_subport_may_have_one_address_in_two_networks() {
    let mut switch = Switch::new(&World::vm_and_peers().port("web", 2, "b", VM));
    assert_eq!(switch.send("peer-a", &tagged(VM, PEER_A, &[])), by("vm", tagged(VM, PEER_A, &[])));
    assert_eq!(switch.send("peer-b", &tagged(VM, PEER_B, &[])), by("vm", tagged(VM, PEER_B, &[100])));
}

#[test]
fn a_frame_shorter_than_its_headers_is_dropped() {
    let world = World::vm_and_peers();
    let plain = tagged(PEER_A, VM, &[]);
    assert_dropped(&world, "vm", &plain[..13], "vm", DropReason::ClassifyTruncated);
    let to_subport = tagged(PEER_B, WEB, &[100]);
    assert_dropped(&world, "vm", &to_subport[..17], "vm", DropReason::ClassifyTruncated);
    let stacked = tagged(PEER_B, WEB, &[100, 7]);
    assert_dropped(&world, "vm", &stacked[..21], "web", DropReason::ClassifyTruncated);
}

#[test]
fn what_has_nowhere_to_go_is_dropped() {
    let world = World::vm_and_peers();
    let stranger: Mac = [2, 0, 0, 0, 0, 0x55];
    assert_dropped(&world, "vm", &tagged(stranger, VM, &[]), "vm", DropReason::DestinationUnknown);
    assert_dropped(&world, "vm", &tagged(PEER_B, VM, &[]), "vm", DropReason::DestinationUnknown);
    assert_dropped(&world, "vm", &tagged(WEB, WEB, &[100]), "web", DropReason::DestinationIsSource);
    let mut alone = world;
    alone.port_mut("peer-b").enabled = false;
    assert_dropped(&alone, "vm", &tagged(BROADCAST, WEB, &[100]), "web", DropReason::DestinationNobody);
}

#[test]
fn a_subport_is_down_with_its_parent() {
    let mut disabled = World::vm_and_peers();
    disabled.port_mut("vm").enabled = false;
    let mut unplugged = World::vm_and_peers();
    unplugged.links[0].up = false;
    for world in [disabled, unplugged] {
        assert_dropped(&world, "vm", &tagged(PEER_B, WEB, &[100]), "web", DropReason::ClassifyPortDown);
        assert_dropped(&world, "vm", &tagged(PEER_A, VM, &[]), "vm", DropReason::ClassifyPortDown);
        assert_dropped(&world, "peer-b", &tagged(WEB, PEER_B, &[]), "peer-b", DropReason::DestinationUnknown);
    }
}

#[test]
fn a_partial_checksum_is_completed_if_the_link_says_so() {
    let packet = |checksum| Packet::new(false, 17, checksum, b"hello").bytes();
    let [partial, complete] = [Checksum::Partial, Checksum::Complete].map(packet);
    let mut world = World::vm_and_peers();
    for (on, expected) in [(true, complete), (false, partial.clone())] {
        world.links[0].complete_checksums = on;
        let sent = Switch::new(&world).send("vm", &frame(PEER_B, WEB, &[(0x8100, 100)], &partial));
        assert_eq!(sent, by("peer-b", frame(PEER_B, WEB, &[], &expected)));
    }
}
