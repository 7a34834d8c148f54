//! Which programs stay on their links when we are killed, and which should and do not.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::links::Link;
use crate::config::Config;
use crate::kernel::{PinError, PinFolder, Pins};
use crate::types::{IfIndex, Problem};

/// What it means that a program is not pinned.
const CONSEQUENCE: &str = "if the switch is killed, frames of ports with no_socket = drop reach the host's own stack until the next start";

/// The pins, or why there are none.
#[derive(Debug)]
pub(super) struct Pinning {
    /// The folder as it was given.
    folder: String,
    pins: Option<Arc<Pins>>,
    /// Why nothing is pinned, if something should be.
    failure: Option<String>,
    /// Whether the operator asked for pins: a default that cannot be had is for the log and `trunkpath check` only.
    wanted: bool,
    /// Devices whose programs should be pinned and are not, and why.
    unpinned: BTreeMap<IfIndex, String>,
}

/// A folder for pins that may not be there.
#[derive(Debug)]
pub(super) enum Folder {
    Ready(PinFolder),
    Failed(String),
    /// No port has the policy for it.
    NotWanted,
}

impl Folder {
    /// Makes it while we still may do everything.
    pub(super) fn prepare(config: &Config) -> Self {
        if !config.drops_without_socket() && !config.pin_folder.exists() {
            return Self::NotWanted;
        }
        match PinFolder::prepare(&config.pin_folder) {
            Ok(folder) => Self::Ready(folder),
            Err(error) => Self::Failed(error.to_string()),
        }
    }
}

impl Pinning {
    /// Takes possession of the pins of our network namespace, whose only switch we are.
    pub(super) fn start(config: &Config, folder: Folder) -> Self {
        let locked = match folder {
            Folder::Ready(folder) => folder.lock().map(Some).map_err(|error| error.to_string()),
            Folder::Failed(reason) => Err(reason),
            Folder::NotWanted => Ok(None),
        };
        let (pins, mut failure) = match locked {
            Ok(pins) => (pins, None),
            Err(reason) => (None, Some(reason)),
        };
        if pins.as_ref().is_some_and(Pins::is_temporary) {
            failure = Some(
                "its bpffs is mounted in a mount namespace that ends with this process (`ip netns exec` makes one): mount it outside before (`mount -t bpf bpf DIR`), not below /sys, and name it with pin_folder"
                    .to_owned(),
            );
        }
        let failure = failure.filter(|_| config.drops_without_socket());
        let folder = config.pin_folder.display().to_string();
        if let Some(reason) = &failure {
            tracing::warn!(folder, "{reason}; {CONSEQUENCE}");
        }
        let pins = pins.map(Arc::new);
        Self { folder, pins, failure, wanted: config.pins_requested, unpinned: BTreeMap::new() }
    }

    /// Looks whether another configuration wants pins that the start did not prepare.
    pub(super) fn apply_config(&mut self, config: &Config) {
        self.wanted = config.pins_requested;
        if !config.drops_without_socket() {
            self.failure = None;
        } else if self.pins.is_none() && self.failure.is_none() {
            let reason =
                "no port had no_socket = drop at the start, so no folder was prepared: restart the switch";
            tracing::warn!(folder = self.folder, "{reason}; {CONSEQUENCE}");
            self.failure = Some(reason.to_owned());
        }
    }

    /// The pins, for whoever attaches programs.
    pub(super) fn pins(&self) -> Option<Arc<Pins>> {
        self.pins.clone()
    }

    /// Takes the outcome of pinning the program on `link`.
    pub(super) fn record(&mut self, link: &Link, failure: Option<PinError>) {
        let Some(error) = failure else {
            self.unpinned.remove(&link.ifindex);
            return;
        };
        let reason = format!("its program is not pinned: {error}; {CONSEQUENCE}");
        if self.unpinned.insert(link.ifindex, reason.clone()).as_ref() != Some(&reason) {
            tracing::warn!(device = link.name, "{reason}");
        }
    }

    /// The device is not ours any more.
    pub(super) fn forget(&mut self, device: IfIndex) {
        self.unpinned.remove(&device);
    }

    /// What an operator should know; `name` tells devices, and `is_taken` whether we have one.
    pub(super) fn problems(
        &self,
        name: impl Fn(IfIndex) -> String,
        is_taken: impl Fn(IfIndex) -> bool,
    ) -> Vec<Problem> {
        let folder = self.failure.iter().filter(|_| self.wanted).map(|reason| {
            Problem::new(format!("pin folder {}", self.folder), format!("{reason}; {CONSEQUENCE}"))
        });
        let unpinned =
            self.unpinned.iter().map(|(ifindex, reason)| Problem::new(link(&name(*ifindex)), reason.clone()));
        let left = self.pins.iter().flat_map(|pins| {
            let left = pins.links().into_iter().filter(|device| !is_taken(*device));
            left.map(|device| (device, pins.folder().display()))
        });
        let left = left.map(|(device, folder)| {
            let reason = format!(
                "a program of an earlier run drops all its frames, pinned as {folder}/{device}, and no port has the link; a stop of the switch removes it"
            );
            Problem::new(link(&name(device)), reason)
        });
        folder.chain(unpinned).chain(left).collect()
    }

    /// Leaves nothing.
    pub(super) fn end(self) {
        if let Some(pins) = self.pins.and_then(Arc::into_inner) {
            pins.clear();
        }
    }
}

fn link(name: &str) -> String {
    format!("link {name}")
}
