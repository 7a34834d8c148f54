//! Pins of XDP programs, which keep them attached when the process is killed, and the reasons where they are
//! missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::links::Link;
use crate::config::Config;
use crate::kernel::{PinError, PinFolder, Pins};
use crate::types::{IfIndex, Problem};

/// The consequence of a missing pin, for messages.
const CONSEQUENCE: &str = "if the switch is killed, frames of ports with no_socket = drop reach the host's own stack until the next start";

/// The pins of all programs, or the reason why there are none.
#[derive(Debug)]
pub(super) struct Pinning {
    /// The folder as it was configured.
    folder: String,
    pins: Option<Arc<Pins>>,
    /// The reason why nothing is pinned although a port requires it.
    failure: Option<String>,
    /// Whether the operator configured pins. Without that, their absence is only logged and shown by
    /// `trunkpath check`.
    is_configured: bool,
    /// The links whose programs should be pinned and are not, with the reason.
    unpinned: BTreeMap<IfIndex, String>,
}

/// The folder for pins after its preparation, which requires capabilities that are dropped later.
#[derive(Debug)]
pub(super) enum PreparedFolder {
    Ready(PinFolder),
    Failed(PinError),
    /// No port has the policy `drop`, and the folder does not exist.
    NotRequired,
}

impl PreparedFolder {
    /// Prepares the folder that is configured, if it is required.
    pub(super) fn new(config: &Config) -> Self {
        if !config.drops_without_socket() && !config.pin_folder.exists() {
            return Self::NotRequired;
        }
        match PinFolder::prepare(&config.pin_folder) {
            Ok(folder) => Self::Ready(folder),
            Err(error) => Self::Failed(error),
        }
    }
}

impl Pinning {
    /// Locks the pins of this network namespace. Must be called by its only switch.
    pub(super) fn start(config: &Config, folder: PreparedFolder) -> Self {
        let locked = match folder {
            PreparedFolder::Ready(folder) => folder.lock().map(Some),
            PreparedFolder::Failed(error) => Err(error),
            PreparedFolder::NotRequired => Ok(None),
        };
        let (pins, mut failure) = match locked {
            Ok(pins) => (pins, None),
            Err(error) => (None, Some(error.to_string())),
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
        Self { folder, pins, failure, is_configured: config.pins_requested, unpinned: BTreeMap::new() }
    }

    /// Applies another configuration, which may require pins that the start did not prepare.
    pub(super) fn apply_config(&mut self, config: &Config) {
        self.is_configured = config.pins_requested;
        if !config.drops_without_socket() {
            self.failure = None;
        } else if self.pins.is_none() && self.failure.is_none() {
            let reason =
                "no port had no_socket = drop at the start, so no folder was prepared: restart the switch";
            tracing::warn!(folder = self.folder, "{reason}; {CONSEQUENCE}");
            self.failure = Some(reason.to_owned());
        }
    }

    /// The pins, for the thread that attaches programs.
    pub(super) fn pins(&self) -> Option<Arc<Pins>> {
        self.pins.clone()
    }

    /// Records whether the program on `link` could be pinned.
    pub(super) fn record(&mut self, link: &Link, failure: Option<PinError>) {
        let Some(error) = failure else {
            self.unpinned.remove(&link.ifindex);
            return;
        };
        let reason = format!("its program is not pinned: {error}; {CONSEQUENCE}");
        if self.unpinned.insert(link.ifindex, reason.clone()).as_ref() != Some(&reason) {
            tracing::warn!(link = link.name, "{reason}");
        }
    }

    /// Removes the record of a link that was given up.
    pub(super) fn remove(&mut self, link: IfIndex) {
        self.unpinned.remove(&link);
    }

    /// The problems of pins. `name` returns the name of a link, `is_taken` whether the switch uses it.
    pub(super) fn problems(
        &self,
        name: impl Fn(IfIndex) -> String,
        is_taken: impl Fn(IfIndex) -> bool,
    ) -> Vec<Problem> {
        let folder = self.failure.iter().filter(|_| self.is_configured).map(|reason| {
            Problem::new(format!("pin folder {}", self.folder), format!("{reason}; {CONSEQUENCE}"))
        });
        let unpinned = self
            .unpinned
            .iter()
            .map(|(ifindex, reason)| Problem::new(subject(&name(*ifindex)), reason.clone()));
        let left = self.pins.iter().flat_map(|pins| {
            let left = pins.links().into_iter().filter(|link| !is_taken(*link));
            left.map(|link| (link, pins.folder().display()))
        });
        let left = left.map(|(link, folder)| {
            let reason = format!(
                "a program of an earlier run drops all its frames, pinned as {folder}/{link}, and no port has the link; a stop of the switch removes it"
            );
            Problem::new(subject(&name(link)), reason)
        });
        folder.chain(unpinned).chain(left).collect()
    }

    /// Removes all pins and their folder.
    pub(super) fn end(self) {
        if let Some(pins) = self.pins.and_then(Arc::into_inner) {
            pins.clear();
        }
    }
}

fn subject(name: &str) -> String {
    format!("link {name}")
}
