//! Passes of a worker over real sockets, called from the test: moved frames, allocations, and the order of
//! turns.

use nix::sched::{CloneFlags, unshare};

use super::error::WorkerPoolError;
use super::open_socket::TURN_COPIES;
use super::pool::WorkerPool;
use super::testbed::{
    CHUNKS, PEER, Testbed, attach, cable, ip, network, port, records, segmentation, tagged,
};
use crate::config::IdleMode;
use crate::needs::is_root;
use crate::tables::{Compiler, LinkSlot, Policy, Publisher, QueueSpread};
use crate::types::DropReason;
use crate::types::drop_reason::{Admit, Transmit};
use crate::xsk::{Arena, BURST_FRAMES, TRANSMIT_RING_SIZE};

#[test]
fn a_pass_moves_bursts_and_allocates_nothing() {
    if !is_root("a_pass_moves_bursts_and_allocates_nothing") {
        return;
    }
    let mut testbed = Testbed::new();
    for round in 0..16 {
        testbed.send(if round % 2 == 0 { PEER } else { [0xff; 6] });
        let allocations = allocation_counter::measure(|| while testbed.pass() {});
        assert_eq!(allocations.count_total, 0, "in round {round}");
    }
    assert_eq!(testbed.peer(), ((16 * BURST_FRAMES) as u64, vec![]));
    testbed.close();
}

/// A link that is down transmits no descriptor of its TX ring. When it is up again, those are transmitted,
/// and free the ring.
#[test]
fn a_full_tx_ring_is_served_again() {
    if !is_root("a_full_tx_ring_is_served_again") {
        return;
    }
    let mut testbed = Testbed::new();
    ip("link set two down");
    let bursts = TRANSMIT_RING_SIZE / BURST_FRAMES + 2;
    for _ in 0..bursts {
        testbed.send(PEER);
        while testbed.pass() {}
    }
    let refused = |frames| vec![(DropReason::Transmit(Transmit::RingFull), frames)];
    assert_eq!(testbed.peer(), (TRANSMIT_RING_SIZE as u64, refused((2 * BURST_FRAMES) as u64)));

    ip("link set two up");
    testbed.send(PEER);
    while testbed.pass() {}
    testbed.send(PEER);
    while testbed.pass() {}
    let (sent, dropped) = testbed.peer();
    assert_eq!(dropped, refused(((bursts + 2) * BURST_FRAMES) as u64 - sent));
    assert!(sent >= (TRANSMIT_RING_SIZE + BURST_FRAMES) as u64, "{sent} sent");
    testbed.close();
}

/// A frame in the queue to the worker of its receiver's link, with tables that change meanwhile.
#[test]
fn a_handed_over_frame_leaves_by_the_newest_tables() {
    if !is_root("a_handed_over_frame_leaves_by_the_newest_tables") {
        return;
    }
    let trunk = [port("host", 4, "n1", 4), segmentation("t", "host", "peer", 200)];
    let mut testbed = Testbed::of(2, records().into_iter().chain(trunk).collect(), "host");
    testbed.open_receiver();
    let wait = |testbed: &mut Testbed| {
        testbed.send(PEER);
        assert!(testbed.workers[0].pass());
    };
    let arrived = |testbed: &mut Testbed, vid| {
        while testbed.workers[1].pass() {}
        let received = testbed.received();
        assert_eq!(received.len(), BURST_FRAMES);
        assert!(received.iter().all(|frame| frame[12..18] == [0x81, 0, 0, vid, 0x88, 0xb5]), "VID {vid}");
    };

    wait(&mut testbed);
    arrived(&mut testbed, 200);
    wait(&mut testbed);
    testbed.put([segmentation("t", "host", "peer", 201)]);
    arrived(&mut testbed, 201);

    wait(&mut testbed);
    testbed.put([network("n3", 3), port("peer", 3, "n3", 3)]);
    while testbed.workers[1].pass() {}
    assert_eq!(testbed.received(), [[0; 0]; 0]);
    let burst = BURST_FRAMES as u64;
    assert_eq!(testbed.peer(), (2 * burst, vec![(DropReason::Admit(Admit::NetworkLeft), burst)]));
    testbed.close();
}

/// A turn whose frames cause many copies shortens the next turns.
#[test]
fn turns_of_a_socket_that_floods_get_shorter() {
    const RECEIVERS: u16 = 64;
    /// Fills the chunks that the socket has in its fill ring.
    const BURSTS: usize = 2;
    if !is_root("turns_of_a_socket_that_floods_get_shorter") {
        return;
    }
    let receivers = (1..RECEIVERS).flat_map(|n| {
        let id = format!("r{n}");
        [port(&id, 100 + u32::from(n), "n2", 100 + n as u8), segmentation(&id, "host", &id, 1000 + n)]
    });
    let trunk = [port("host", 4, "n1", 4), segmentation("t", "host", "peer", 200)];
    let mut testbed = Testbed::of(1, records().into_iter().chain(trunk).chain(receivers).collect(), "host");
    for _ in 0..BURSTS {
        testbed.send([0xff; 6]);
    }
    let mut turns = vec![];
    let mut before = 0;
    while testbed.pass() {
        let copies = testbed.sent_or_dropped();
        turns.push(copies - before);
        before = copies;
    }
    assert_eq!(before, BURSTS * BURST_FRAMES * usize::from(RECEIVERS));
    let (first, others) = turns.split_first().expect("a turn");
    assert_eq!(*first, BURST_FRAMES * usize::from(RECEIVERS));
    let most = TURN_COPIES + 2 * usize::from(RECEIVERS);
    assert!(others.iter().all(|copies| *copies <= most), "{turns:?}, at most {most}");

    // Frames to one receiver get a burst for each turn again.
    for _ in 0..BURST_FRAMES {
        testbed.send(PEER);
        assert!(testbed.pass());
        while testbed.pass() {}
    }
    testbed.send(PEER);
    let before = testbed.sent_or_dropped();
    assert!(testbed.pass());
    assert_eq!(testbed.sent_or_dropped() - before, BURST_FRAMES);
    testbed.close();
}

/// Its sockets are closed, so the XDP program applies the policy for a missing socket.
#[test]
fn a_worker_that_panics_is_reported_and_the_no_socket_policy_applies() {
    if !is_root("a_worker_that_panics_is_reported_and_the_no_socket_policy_applies") {
        return;
    }
    unshare(CloneFlags::CLONE_NEWNET).expect("a network namespace");
    ip("link set lo up");
    let arena = Arena::umem(CHUNKS).expect("packet memory");
    let mut cable = cable(arena, "one", 0);
    let (program, socket) = attach(arena, &cable, "one", 1);
    let publisher = Publisher::new(Compiler::new(1, Policy::default()).compile());
    let cpu = rustix::thread::sched_getcpu();
    let mut pool = WorkerPool::start(&[cpu], IdleMode::Adaptive, arena, &publisher).expect("a worker");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(pool.attach(LinkSlot(0), socket, QueueSpread::Workers)).expect("a socket that receives");
    assert_eq!(pool.dead(), [0; 0]);

    pool.kill(0);
    assert_eq!(pool.dead(), [0]);
    assert!(matches!(runtime.block_on(pool.reporter().report()), Err(WorkerPoolError::Died { worker: 0 })));
    let mut burst: Vec<_> = (0..BURST_FRAMES).map(|_| tagged(arena, PEER)).collect();
    cable.guest.transmit(&mut burst);
    cable.guest.kick();
    let counted = program.counters().read().expect("counters");
    assert_eq!((counted.redirected, counted.dropped), (0, BURST_FRAMES as u64));
    assert!(pool.stop().is_empty());
}
