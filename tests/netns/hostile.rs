//! Mangled and forged frames, and their outcome by a model in another language (`model/`).

use serde_json::{Value, json};

use testkit::records::CHASSIS;
use testkit::testbed::{Testbed, on_testbed};

use super::model::{Model, assert_covered};

const BATCHES: usize = 200;
const FRAMES: usize = 500;

/// Two guests with subports on shared networks under different tags, one subport with a subport of its own; a
/// peer on each network; port security and dropped unknown tags on guests and on subports. Returns the
/// scenario for the model.
fn start(testbed: &mut Testbed) -> Value {
    let networks: Vec<_> = (0..4).map(|_| testbed.network()).collect();
    let vm = testbed.guest("vm", networks[0]);
    let other = testbed.guest("other", networks[1]);
    testbed.subport(&vm, 100, networks[1]);
    let inner = testbed.subport(&vm, 200, networks[2]);
    testbed.subport(&inner, 7, networks[3]);
    let guarded_subport = testbed.subport(&other, 100, networks[2]);
    let strict_subport = testbed.subport(&other, 101, networks[0]);
    let guarded = testbed.guest("guarded", networks[0]);
    testbed.guest("neighbour", networks[2]);
    let strict = testbed.guest("strict", networks[3]);
    let strict = [strict, strict_subport].map(|port| port.id());
    for port in &strict {
        testbed.arguments.extend(["--port".to_owned(), format!("{port}:unknown_tags=drop")]);
    }
    testbed.write_records();
    for port in [&guarded, &guarded_subport] {
        testbed.secure(port, &["10.1.0.1", "2001:db8::1"]);
    }
    testbed.relaunch();
    testbed.wait_until_all_up();
    json!({ "records": testbed.files.dump(), "guests": testbed.links(), "strict": strict })
}

#[test]
fn a_hundred_thousand_frames_agree_with_an_independent_model() {
    on_testbed(|testbed| {
        let mut model = Model::start(&start(testbed), BATCHES, FRAMES);
        let mut batches = 0;
        for batch in model.by_ref() {
            testbed.exchange_bytes(&batch.sent, batch.arrive);
            batches += 1;
        }
        assert_eq!(batches, BATCHES);
        let drops = model.finish(&[(CHASSIS, testbed.daemon())]);
        let of_guarded = ["antispoof_source_mac", "antispoof_source_ip", "antispoof_unreadable"];
        let of_tags = ["classify_unknown_tag", "classify_truncated", "admit_tag_refused"];
        assert_covered(&drops, &[of_guarded, of_tags].concat());
        assert_covered(&drops, &["locate_source_invalid", "locate_reserved"]);
    });
}
