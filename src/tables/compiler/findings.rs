//! What is wrong with records, found without its text.

use super::Compiler;
use crate::nb::{ChildPortSegmentation, LogicalPort, LogicalSwitch, Northbound};
use crate::tables::claims;
use crate::types::{Id, Problem};

/// A record that is not in force, or not as a whole.
enum Finding<'a> {
    /// A problem that parsing or compiling has described.
    Described(&'a Problem),
    /// One of a host or of a security group.
    Made(Problem),
    /// A segmentation without effect.
    Ineffective(&'a ChildPortSegmentation),
    /// A port whose unique key another one holds.
    PortWithoutKey(&'a LogicalPort, &'a Id),
    /// A network whose unique key another one holds.
    NetworkWithoutKey(&'a LogicalSwitch, &'a Id),
}

impl Finding<'_> {
    fn problem(self, nb: &Northbound) -> Problem {
        let without_key = |table: &str, id: &str, key: u32, owner: &str| {
            let reason = format!(
                "its unique_key {key} belongs to {owner} already, so it is ignored: give it a free one"
            );
            Problem::new(format!("{table} {id}"), reason)
        };
        match self {
            Self::Described(problem) => problem.clone(),
            Self::Made(problem) => problem,
            Self::Ineffective(segmentation) => claims::problem(nb, segmentation),
            Self::PortWithoutKey(port, owner) => without_key("lport", &port.id, port.key.get(), owner),
            Self::NetworkWithoutKey(network, owner) => {
                without_key("lswitch", &network.id, network.key.get(), owner)
            }
        }
    }
}

impl Compiler {
    /// The problems of all records.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        self.findings().map(|finding| finding.problem(&self.northbound)).collect()
    }

    /// Number of the [`problems`](Self::problems), without their texts.
    #[must_use]
    pub fn problem_count(&self) -> usize {
        self.findings().count()
    }

    fn findings(&self) -> impl Iterator<Item = Finding<'_>> {
        let nb = &self.northbound;
        let invalid = nb.invalid().map(|(_, _, problem)| Finding::Described(problem));
        let segmentations = claims::ineffective(nb).map(Finding::Ineffective);
        let ports = nb.lports_without_key().map(|(port, owner)| Finding::PortWithoutKey(port, owner));
        let networks = nb.lswitches_without_key();
        let networks = networks.map(|(network, owner)| Finding::NetworkWithoutKey(network, owner));
        let of_links = self.compiled_links.values().flat_map(|link| &link.problems);
        let of_networks = self.networks.values().flat_map(|network| &network.problems);
        let compiled = of_links.chain(of_networks).map(Finding::Described);
        let made = self.peer_problems().chain(self.group_problems()).map(Finding::Made);
        invalid.chain(made).chain(segmentations).chain(ports).chain(networks).chain(compiled)
    }
}
