//! A burst of frames allocates no memory, regardless of the outcome of the frames. Checked with a counting
//! allocator.

use allocation_counter::measure;
use trunkpath::datapath::{Burst, Context, Entry, Ingress, forward};
use trunkpath::tables::{LinkSlot, Publisher, Tables};
use trunkpath::types::QueueId;
use trunkpath::xsk::BURST_FRAMES;

use testkit::frames::{BROADCAST, Checksum, Packet, frame, tagged};
use testkit::scenario::{Mac, PEER_A, PEER_B, Scenario, VM, WEB};
use testkit::switch::Switch;

const NOBODY: Mac = [2, 0, 0, 0, 0, 0x99];
/// Address that two ports claim.
const VIRTUAL: Mac = [0, 0, 0x5e, 0, 1, 1];

/// Sends a burst of `bytes` into the link at `link`; returns the number of frames that left. A first burst,
/// for what is allocated once, is not measured.
fn frames_out_without_allocation(link: u16, bytes: &[u8]) -> usize {
    let scenario = Scenario::vm_and_peers()
        .port("peer-c", 12, "b", [2, 0, 0, 0, 0, 0x0c])
        .link("peer-c")
        .pair("web", VIRTUAL)
        .pair("peer-c", VIRTUAL);
    let switch = Switch::with_chunks(&scenario, 2 * BURST_FRAMES);
    let Switch { tables, mut outlet, states: [mut state, _], .. } = switch;
    let publisher = Publisher::new(Tables::clone(&tables));
    let mut reader = publisher.reader();
    for is_measured in [false, true] {
        outlet.sent.clear();
        let mut burst: Burst = (0..BURST_FRAMES).map(|_| outlet.arena.take().unwrap()).collect();
        assert!(burst.iter_mut().all(|frame| frame.set_bytes(bytes)));
        let info = measure(|| {
            let mut cx = Context { tables: reader.latest(), state: &mut state, outlet: &mut outlet };
            let entry = Entry { link: LinkSlot(link), queue: QueueId(0) };
            forward(&mut burst, Ingress::of(entry, cx.tables), &mut cx);
        });
        assert!(!is_measured || info.count_total == 0, "{} allocations", info.count_total);
    }
    outlet.sent.len()
}

const VM_LINK: u16 = 0;
const PEER_A_LINK: u16 = 1;
const PEER_B_LINK: u16 = 2;

#[test]
fn the_counter_counts() {
    assert_eq!(measure(|| drop(vec![0_u8; 1])).count_total, 1);
}

#[test]
fn unicast_without_a_tag() {
    assert_eq!(frames_out_without_allocation(PEER_A_LINK, &tagged(VM, PEER_A, &[])), BURST_FRAMES);
}

#[test]
fn strip() {
    assert_eq!(frames_out_without_allocation(VM_LINK, &tagged(PEER_B, WEB, &[100])), BURST_FRAMES);
}

#[test]
fn push() {
    assert_eq!(frames_out_without_allocation(PEER_B_LINK, &tagged(WEB, PEER_B, &[])), BURST_FRAMES);
}

#[test]
fn announcement() {
    assert_eq!(frames_out_without_allocation(VM_LINK, &tagged(PEER_B, VIRTUAL, &[100])), BURST_FRAMES);
}

#[test]
fn flood() {
    assert_eq!(frames_out_without_allocation(VM_LINK, &tagged(BROADCAST, WEB, &[100])), 2 * BURST_FRAMES);
}

#[test]
fn drops() {
    for bytes in [&tagged(NOBODY, VM, &[])[..], &tagged(VM, VM, &[]), &[0; 13]] {
        assert_eq!(frames_out_without_allocation(VM_LINK, bytes), 0);
    }
    assert_eq!(frames_out_without_allocation(99, &tagged(PEER_A, VM, &[])), 0);
}

#[test]
fn checksum_completion() {
    for (v6, protocol) in [(false, 6), (false, 17), (true, 6), (true, 17)] {
        let packet = Packet::new(v6, protocol, Checksum::Partial, &[7; 999]);
        let bytes = frame(PEER_B, WEB, &[(0x8100, 100)], &packet.bytes());
        assert_eq!(frames_out_without_allocation(VM_LINK, &bytes), BURST_FRAMES);
    }
}
