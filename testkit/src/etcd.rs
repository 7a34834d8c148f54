//! Command line of an etcd member, and the leader of a cluster.

use std::path::Path;

use etcd_client::Client;

/// URLs of a member of a cluster.
#[derive(Debug, Clone)]
pub struct Member {
    pub client: String,
    pub peer: String,
}

/// Command line of member `index` of a cluster, with its data in `folder`.
pub fn command_line(index: usize, members: &[Member], folder: &Path) -> Vec<String> {
    let peers = members.iter().enumerate().map(|(index, member)| format!("m{index}={}", member.peer));
    let cluster = peers.collect::<Vec<_>>().join(",");
    let Member { client, peer } = &members[index];
    let (name, data) = (format!("m{index}"), folder.join(format!("m{index}")));
    let options = [
        ("name", name.as_str()),
        ("data-dir", data.to_str().unwrap()),
        ("listen-client-urls", client),
        ("advertise-client-urls", client),
        ("listen-peer-urls", peer),
        ("initial-advertise-peer-urls", peer),
        ("initial-cluster", &cluster),
        ("logger", "zap"),
        ("log-outputs", "stderr"),
    ];
    let options = options.iter().map(|(option, value)| format!("--{option}={value}"));
    ["etcd".to_owned()].into_iter().chain(options).collect()
}

/// Index of the present leader.
///
/// # Panics
///
/// If there is none.
pub async fn leader(endpoints: &[String]) -> usize {
    for (index, endpoint) in endpoints.iter().enumerate() {
        let mut client = Client::connect([endpoint], None).await.unwrap();
        let status = client.status().await.unwrap();
        if status.header().unwrap().member_id() == status.leader() {
            return index;
        }
    }
    panic!("no member is the leader");
}
