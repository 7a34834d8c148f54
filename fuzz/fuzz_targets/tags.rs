//! Stripping and pushing of tags, compared with the same operations on a vector of bytes.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use trunkpath::packet::{Header, dot1q};
use trunkpath::types::{Pcp, Tci, VlanId};
use trunkpath::xsk::{Arena, Frame};

thread_local! {
    static FRAME: RefCell<Frame> = RefCell::new(Arena::heap(1).unwrap().take().unwrap());
}

fuzz_target!(|input: (Vec<u16>, Vec<u8>)| {
    let (steps, mut model) = input;
    FRAME.with_borrow_mut(|frame| {
        if !frame.set_bytes(&model) {
            return;
        }
        for step in steps {
            match VlanId::new(step & 0x0fff) {
                Ok(vid) => {
                    let tci = Tci::new(vid, Pcp::new((step >> 13) as u8, step & 0x1000 != 0));
                    if dot1q::push(frame, tci).is_ok() {
                        let [hi, lo] = step.to_be_bytes();
                        model.splice(12..12, [0x81, 0x00, hi, lo]);
                    }
                }
                // As in the datapath: strips a tag only if there is one.
                Err(_) if Header::parse(&model).is_ok_and(|header| header.tag.is_some()) => {
                    dot1q::strip(frame);
                    model.drain(12..16);
                }
                Err(_) => {}
            }
            assert_eq!(frame.bytes(), model);
        }
    });
});
