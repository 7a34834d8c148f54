//! Stripping and pushing, against a list of bytes that does the same.
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
                // As the datapath does: only a tag that is there.
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
