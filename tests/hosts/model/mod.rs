//! Random frames of guests of two hosts, and their outcome by a model in another language
//! (`tests/netns/model`): on every guest's link, on the underlay, and in the counters of both daemons.

mod site;
mod wire;

use std::collections::BTreeMap;

use serde_json::json;

use testkit::exchange::Exchange;
use testkit::records::port_id;
use testkit::stream::Stream;

use self::site::{STRICT, start};
use self::wire::{MACHINE, Wire};
use super::testbed::{Hosts, on_hosts, underlay_mac};
use crate::netns::model::{Batch, Model, assert_covered};

const BATCHES: usize = 100;
/// Frames of a guest in a batch, in which one guest of each host sends.
const FRAMES: usize = 500;

#[test]
fn a_hundred_thousand_frames_of_two_hosts_agree_with_an_independent_model() {
    on_hosts(2, |hosts| {
        let wire = Wire::of(hosts);
        let mut exchange = start(hosts);
        let mut model = model(hosts, &exchange);
        let mut batches = 0;
        for batch in model.by_ref() {
            pass(batch, &mut exchange, &wire);
            batches += 1;
        }
        assert_eq!(batches, BATCHES);
        let drops = model.finish(&[("host1", hosts.host(1).daemon()), ("host2", hosts.host(2).daemon())]);
        let of_guests = ["antispoof_source_mac", "antispoof_source_ip", "classify_unknown_tag"];
        let of_network = ["locate_unknown", "locate_is_source", "admit_tag_refused", "flood_no_receiver"];
        let of_outside = ["source_is_local", "unknown_peer", "unknown_network", "truncated", "checksum"];
        let of_outside = of_outside.map(|reason| format!("decapsulate_{reason}"));
        assert_covered(&drops, &[&of_guests[..], &of_network[..], &["tunnel_split_horizon"]].concat());
        assert_covered(&drops, &of_outside.each_ref().map(String::as_str));
        exchange.stop();
        wire.stop();
    });
}

fn model(hosts: &Hosts, exchange: &Exchange) -> Model {
    let parents = exchange.ports.iter().filter(|port| port.vids.is_empty());
    let guests: BTreeMap<_, _> =
        parents.map(|port| (port.id(), exchange.stations[port.guest].name.clone())).collect();
    let underlay: BTreeMap<_, _> =
        [1, 2].map(|number| (format!("host{number}"), underlay_mac("1", number))).into();
    let scenario = json!({ "records": hosts.dump(), "guests": guests, "strict": STRICT.map(port_id),
        "underlay": underlay, "outsider": MACHINE });
    Model::start(&scenario, BATCHES, FRAMES)
}

/// Sends a batch from all senders at once, and compares what arrives at guests and on the underlay.
fn pass(mut batch: Batch, exchange: &mut Exchange, wire: &Wire) {
    let injected = batch.sent.remove(MACHINE).unwrap();
    let machine = &wire.sender;
    std::thread::scope(|scope| {
        scope.spawn(move || Stream::paced(machine, &injected));
        exchange.send(&batch.sent);
    });
    wire.mark(exchange);
    let senders: Vec<_> = batch.sent.keys().map(|name| exchange.guest(name)).collect();
    exchange.assert_arrived(&senders, batch.arrive.clone());
    wire.assert_left(exchange, &mut batch.arrive);
}
