use super::*;
use crate::xsk::copy_mode::CopyMode;

#[test]
fn a_frame_never_leaves_its_chunk() {
    let arena = Arena::heap(2).unwrap();
    let mut frame = arena.take().unwrap();
    assert!(!frame.set_bytes(&[1; CHUNK_BYTES]));
    assert!(frame.set_bytes(&[1; CHUNK_BYTES - HEADROOM_BYTES]));
    assert!(!frame.grow_front(HEADROOM_BYTES + 1));
    assert!(frame.grow_front(HEADROOM_BYTES));
    assert_eq!(frame.bytes().len(), CHUNK_BYTES);
    frame.trim_front(usize::MAX);
    assert_eq!(frame.bytes().len(), 0);
    assert!(frame.grow_front(CHUNK_BYTES));
}

#[test]
fn chunks_of_a_dropped_frame_are_free_and_none_is_taken_twice() {
    let arena = Arena::heap(3).unwrap();
    let frames: Vec<_> = std::iter::from_fn(|| arena.take()).collect();
    assert_eq!(frames.len(), 3);
    let mut addresses: Vec<_> = frames.iter().map(Frame::address).collect();
    addresses.dedup();
    assert_eq!(addresses.len(), 3);
    drop(frames);
    assert_eq!(arena.free_chunk_count(), 3);
}

#[test]
fn a_copy_is_a_frame_of_its_own() {
    let arena = Arena::heap(2).unwrap();
    let (mut a, mut b) = (arena.take().unwrap(), arena.take().unwrap());
    assert!(a.set_bytes(b"original"));
    assert!(b.copy_from(&a, || None));
    b.bytes_mut()[0] = b'O';
    assert_eq!((a.bytes(), b.bytes()), (&b"original"[..], &b"Original"[..]));
}

#[test]
fn a_long_frame_is_one_frame_in_several_chunks() {
    const ROOM: usize = CHUNK_BYTES - HEADROOM_BYTES;
    let arena = Arena::heap(6).unwrap();
    let bytes: Vec<u8> = (0..2 * ROOM + 100).map(|n| (n % 251) as u8).collect();
    let mut frame = arena.take().unwrap();
    frame.clear();
    assert!(frame.extend(bytes.chunks(700), || arena.take()));
    assert_eq!((frame.chunk_count(), frame.len(), arena.free_chunk_count()), (3, bytes.len(), 3));
    assert_eq!(frame.to_vec(), bytes);
    assert!(frame.grow_front(4));
    frame.trim_front(8);
    assert_eq!(frame.to_vec(), bytes[4..]);
    assert_eq!(
        frame.slices(ROOM - 10..ROOM + 10).collect::<Vec<_>>().concat(),
        bytes[4..][ROOM - 10..ROOM + 10]
    );
    assert_eq!(frame.slices(9000..9001).count(), 0);

    let mut copy = arena.take().unwrap();
    assert!(copy.copy_from(&frame, || arena.take()));
    assert_eq!((copy.to_vec(), arena.free_chunk_count()), (frame.to_vec(), 0));
    assert!(!copy.copy_from(&frame, || None), "there are no more chunks");
    drop(copy);
    assert_eq!(arena.free_chunk_count(), 3);
    assert!(frame.set_bytes(b"short"));
    assert_eq!((frame.to_vec(), arena.free_chunk_count()), (b"short".to_vec(), 5));
}

#[test]
fn the_chunks_of_a_long_frame_are_surrendered_and_reclaimed_together() {
    let arena = Arena::heap(4).unwrap();
    let mut frame = arena.take().unwrap();
    frame.clear();
    assert!(frame.extend([&[7; 3 * CHUNK_BYTES][..]], || arena.take()));
    let mut descriptors = [FrameDesc::default(); 4];
    assert_eq!(frame.describe(arena.layout(), &mut descriptors[..3]), None);
    assert_eq!(frame.describe(arena.layout(), &mut descriptors), Some(4));
    assert_eq!(
        descriptors.map(|descriptor| descriptor.options()),
        [XDP_PKT_CONTD, XDP_PKT_CONTD, XDP_PKT_CONTD, 0]
    );
    assert_eq!(
        descriptors.map(|descriptor| descriptor.lengths().data()).iter().sum::<usize>(),
        3 * CHUNK_BYTES
    );
    let ring = Place::transmitting(7);
    frame.surrender(ring);
    assert_eq!(arena.census().transmitting, 4);
    arena.reclaim(ring, CopyMode::without_socket());
    assert_eq!(arena.free_chunk_count(), 4);
}

#[test]
fn a_chunk_is_claimed_only_at_its_place() {
    let arena = Arena::heap(1).unwrap();
    let (receiving, transmitting) = (Place::receiving(7), Place::transmitting(7));
    let mode = CopyMode::without_socket();
    arena.take().unwrap().surrender(receiving);
    assert!(Frame::claim(arena, 0, transmitting, 0, 0).is_none());
    assert!(Frame::claim(arena, 1, receiving, 0, 0).is_none());
    assert!(Frame::claim(arena, 0, receiving, CHUNK_BYTES, 1).is_none());
    let frame = Frame::claim(arena, 0, receiving, 256, 60).unwrap();
    assert!(Frame::claim(arena, 0, receiving, 256, 60).is_none(), "the kernel named the same chunk twice");
    frame.surrender(transmitting);
    arena.reclaim(receiving, mode);
    assert_eq!(arena.free_chunk_count(), 0);
    arena.reclaim(transmitting, mode);
    assert_eq!(arena.free_chunk_count(), 1);
}
