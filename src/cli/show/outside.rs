//! Other hosts and uplinks as tables.

use crate::api::model::{PathView, PeerView, UplinkView};
use crate::cli::output::table;
use crate::types::printable;
use crate::xsk::SocketMode;

pub(super) fn peers(peers: &[PeerView]) -> String {
    if peers.is_empty() {
        return "no peers: no other host has ports of a network with a port here\n".to_owned();
    }
    let rows = table(
        [
            "PEER",
            "ENDPOINT",
            "TYPES",
            ">NETWORKS",
            "LINK",
            "NEXT HOP",
            "NEXT HOP'S MAC",
            ">MTU",
            ">AGE",
            ">RECEIVED",
            ">SENT",
        ],
        peers.iter().flat_map(|peer| {
            let paths: Vec<_> =
                if peer.paths.is_empty() { vec![None] } else { peer.paths.iter().map(Some).collect() };
            paths.into_iter().map(|path| peer_row(peer, path)).collect::<Vec<_>>()
        }),
    );
    let problems = peers.iter().filter_map(|peer| {
        let problem = peer.problem.as_deref()?;
        Some(format!("{}: {}\n", printable(&peer.peer), printable(problem)))
    });
    rows + &problems.collect::<String>()
}

fn peer_row(peer: &PeerView, path: Option<&PathView>) -> [String; 11] {
    let types: Vec<_> = peer.tunnel_types.iter().map(ToString::to_string).collect();
    let field = |text: fn(&PathView) -> String| path.map_or_else(|| "-".to_owned(), text);
    [
        peer.peer.clone(),
        peer.endpoint.to_string(),
        types.join(" "),
        peer.networks.len().to_string(),
        field(|path| path.link.clone()),
        field(|path| path.next_hop.to_string()),
        field(|path| path.next_hop_mac.to_string()),
        field(|path| path.mtu.to_string()),
        format!("{} s", peer.age_seconds),
        peer.received_frames.to_string(),
        peer.sent_frames.to_string(),
    ]
}

pub(super) fn uplinks(uplinks: &[UplinkView]) -> String {
    if uplinks.is_empty() {
        return "no uplinks: no physical network is mapped to a link (--uplink), and no tunnel has a path\n"
            .to_owned();
    }
    table(
        ["LINK", "MODE", "SOCKETS", ">QUEUES", "PHYSICAL NETWORKS", "VLANS", ">PEERS", "STATE"],
        uplinks.iter().map(|uplink| {
            let untagged = uplink.untagged.then(|| "untagged".to_owned());
            let vlans = untagged.into_iter().chain(uplink.vlans.iter().map(ToString::to_string));
            [
                uplink.link.clone(),
                uplink.mode.map_or("", |mode| mode.name()).to_owned(),
                uplink.socket_mode.map_or("", SocketMode::name).to_owned(),
                uplink.queues.to_string(),
                uplink.physical_networks.join(" "),
                vlans.collect::<Vec<_>>().join(" "),
                uplink.peers.to_string(),
                uplink
                    .problem
                    .clone()
                    .map_or_else(|| "open".to_owned(), |problem| format!("down: {problem}")),
            ]
        }),
    )
}
