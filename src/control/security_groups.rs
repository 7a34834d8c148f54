//! The views of security groups and of connections.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::daemon::Daemon;
use crate::api::ApiError;
use crate::api::model::{ConnectionView, ConnectionsView, EndView, GroupView, RuleView, UnclearRuleView};
use crate::datapath::Connection;
use crate::packet::datagram::End;
use crate::types::{GroupRule, Id, PortKey, Remote};
use crate::worker::WorkerReporter;

/// Upper bound of the connections in an answer.
const MAX_CONNECTIONS: usize = 1000;

impl Daemon {
    pub(super) fn groups_view(&self) -> Vec<GroupView> {
        let compiler = &self.reconciler.compiler;
        let mut ports = BTreeMap::<&Id, Vec<String>>::new();
        for (lport, groups) in compiler.filtered_ports() {
            for group in groups {
                ports.entry(group).or_default().push(lport.to_string());
            }
        }
        ports.into_iter().map(|(group, ports)| self.group_view(group, ports)).collect()
    }

    fn group_view(&self, id: &Id, ports: Vec<String>) -> GroupView {
        let nb = self.reconciler.compiler.northbound();
        let record = nb.secgroups().get(id);
        let unclear = record.into_iter().flat_map(|group| &group.unclear);
        GroupView {
            group: id.to_string(),
            name: record.map(|group| group.name.to_string()).unwrap_or_default(),
            exists: record.is_some(),
            stateless: nb.is_stateless(id),
            rules: record.into_iter().flat_map(|group| &group.rules).map(rule_view).collect(),
            unclear: unclear
                .map(|(rule, error)| UnclearRuleView { rule: rule.to_string(), reason: error.to_string() })
                .collect(),
            ports,
            members: nb.lports_in(id).count(),
        }
    }

    /// What [`connections_view`] needs to know: the wanted port, and the ids of ports by identity.
    ///
    /// # Errors
    /// [`ApiError::NoSuchPort`].
    pub(super) fn connection_owners(&self, lport: Option<&str>) -> Result<Owners, ApiError> {
        let compiler = &self.reconciler.compiler;
        let nb = compiler.northbound();
        let key = |lport: &str| nb.lports().get(lport).map(|port| port.key);
        let wanted = lport.map(|lport| key(lport).ok_or_else(|| self.no_such_port(lport))).transpose()?;
        let ports = compiler.filtered_ports();
        let ids = ports.filter_map(|(lport, _)| Some((key(lport)?, lport.clone())));
        Ok(Owners { wanted, ids: ids.collect() })
    }
}

fn rule_view(rule: &GroupRule) -> RuleView {
    let (prefix, group) = match &rule.remote {
        Remote::Anyone => (None, None),
        Remote::Prefix(prefix) => (Some(prefix.to_string()), None),
        Remote::Group(group) => (None, Some(group.to_string())),
    };
    RuleView {
        rule: rule.id.to_string(),
        direction: rule.direction,
        ethertype: rule.family,
        protocol: rule.protocol,
        selectors: rule.selectors,
        remote_ip_prefix: prefix,
        remote_group_id: group,
    }
}

/// The ports whose connections are in a view.
#[derive(Debug)]
pub(super) struct Owners {
    wanted: Option<PortKey>,
    ids: BTreeMap<PortKey, Id>,
}

/// Asks the workers for the connections.
///
/// # Errors
/// [`ApiError::Workers`]
pub(super) async fn connections_view(
    workers: &WorkerReporter,
    owners: &Owners,
) -> Result<ConnectionsView, ApiError> {
    let mut total = 0;
    let mut most = Vec::new();
    let take = |connection: Connection| {
        // A port that has gone leaves connections, until they are forgotten.
        if owners.ids.contains_key(&connection.port) {
            total += 1;
            most.push(connection);
            if most.len() >= 2 * MAX_CONNECTIONS {
                keep_most(&mut most);
            }
        }
    };
    workers.connections(owners.wanted, take).await?;
    keep_most(&mut most);
    let views = most
        .iter()
        .filter_map(|connection| Some(connection_view(owners.ids.get(&connection.port)?, connection)));
    Ok(ConnectionsView { total, connections: views.collect() })
}

/// Sorts, and removes those beyond the bound.
fn keep_most(connections: &mut Vec<Connection>) {
    connections.sort_by_key(|connection| Reverse(connection.bytes.iter().sum::<u64>()));
    connections.truncate(MAX_CONNECTIONS);
}

fn connection_view(lport: &Id, connection: &Connection) -> ConnectionView {
    let talk = &connection.talk;
    let [bytes_sent, bytes_received] = connection.bytes;
    let end = |end: End| EndView { address: end.address.ip(talk.family), port: end.port };
    ConnectionView {
        lport: lport.to_string(),
        protocol: talk.protocol,
        local: end(talk.source),
        remote: end(talk.destination),
        opened: connection.opener,
        phase: connection.phase,
        age_seconds: connection.age,
        expires_seconds: connection.expires,
        bytes_sent,
        bytes_received,
    }
}
