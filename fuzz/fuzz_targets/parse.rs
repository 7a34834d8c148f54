//! Parsing of headers: no panic, no access beyond the frame, and the results are bytes of the frame.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trunkpath::packet::{Header, Sender};

fuzz_target!(|frame: &[u8]| {
    match Header::parse(frame) {
        Ok(header) => {
            assert!(frame.len() >= if header.tag.is_some() { 18 } else { 14 });
            assert_eq!(header.destination.bytes(), frame[..6]);
            if let Some(tag) = header.tag {
                assert_eq!(tag.tpid.to_be_bytes(), frame[12..14]);
                assert_eq!(tag.tci.to_be_bytes(), frame[14..16]);
            }
        }
        Err(_) => assert!(frame.len() < 18),
    }
    if let Some(sender) = Sender::of(frame, frame.len()) {
        assert_eq!(sender.mac.bytes(), frame[6..12]);
        // Each announced address is in the frame.
        let stands = |bytes: &[u8]| frame.windows(bytes.len()).any(|window| window == bytes);
        assert!(sender.announced.is_none_or(|mac| stands(&mac.bytes())));
        assert!(sender.ips.iter().all(|ip| match ip {
            std::net::IpAddr::V4(ip) => stands(&ip.octets()),
            std::net::IpAddr::V6(ip) => stands(&ip.octets()),
        }));
    }
});
