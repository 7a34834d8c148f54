//! Findings about pinned programs, which a killed switch leaves attached to its links.

use std::path::Path;

use super::finding::{Finding, Verdict};
use crate::control::links::Links;
use crate::kernel::{
    CleanError, Cleaned, FoundPin, PinState, clean_pins, find_pins, inspect, is_bpffs,
    is_mount_namespace_temporary,
};

/// The effect of programs that are not pinned.
const AFTER_A_KILL: &str = "frames of ports with no_socket = drop reach the host's own stack after a kill";

const CLEAN: &str = "`trunkpath check --clean`";

/// The pins in `folder`, and the findings about the folder and each pin.
pub(super) fn findings(folder: &Path, links: &Links) -> (Vec<FoundPin>, Vec<Finding>) {
    let about = "pin folder";
    let (pins, of_folder) = match find_pins(folder) {
        Ok(pins) if is_bpffs(folder) => {
            (pins, Finding::ok(about, format!("{} is in a bpffs", folder.display())))
        }
        Ok(pins) if inspect::may_mount() && is_mount_namespace_temporary() => {
            let found = format!(
                "{} is in no bpffs, and one that the switch mounts ends with it in a mount namespace of its own, as `ip netns exec` \
                 makes: {AFTER_A_KILL}",
                folder.display()
            );
            let advice =
                "mount one outside (`mount -t bpf bpf DIR`), not below /sys, and name it with pin_folder";
            (pins, Finding::not_ok(Verdict::Warning, about, found, advice))
        }
        Ok(pins) if inspect::may_mount() => {
            (pins, Finding::ok(about, format!("the switch mounts a bpffs for {}", folder.display())))
        }
        Ok(pins) => {
            let found = format!("{} is in no bpffs: {AFTER_A_KILL}", folder.display());
            let advice = "mount one (`mount -t bpf bpf DIR`), or let the switch mount it, which requires CAP_SYS_ADMIN";
            (pins, Finding::not_ok(Verdict::Warning, about, found, advice))
        }
        Err(error) => {
            (vec![], Finding::not_ok(Verdict::Warning, about, error.to_string(), "run this as root"))
        }
    };
    let mut findings = vec![of_folder];
    findings.extend(pins.iter().map(|pin| finding(pin, links)));
    (pins, findings)
}

fn finding(pin: &FoundPin, links: &Links) -> Finding {
    let about = about(pin, links);
    let path = pin.path.display();
    match pin.state {
        PinState::Here | PinState::Elsewhere if pin.is_in_use => {
            Finding::ok(&about, format!("pinned as {path} by a running switch"))
        }
        PinState::Here => Finding::not_ok(
            Verdict::Warning,
            &about,
            format!("pinned as {path}: a program that a killed switch left drops all its frames"),
            format!("start the switch, which adopts it, or remove it with {CLEAN}"),
        ),
        PinState::Elsewhere => Finding::not_ok(
            Verdict::Warning,
            &about,
            format!(
                "pinned as {path}, of another network namespace: a program that a killed switch left drops all its frames"
            ),
            format!("start the switch there, or run {CLEAN} there (`ip netns exec`)"),
        ),
        PinState::Stale => Finding::not_ok(
            Verdict::Warning,
            &about,
            format!("stale pin {path}: its link was removed"),
            format!("the next start removes it, or {CLEAN}"),
        ),
    }
}

/// Removes the pins that no switch uses. An error of the folder itself is among [`findings`].
pub(super) fn clean(folder: &Path, links: &Links) -> Vec<Finding> {
    let cleaned = clean_pins(folder).unwrap_or_default();
    let done = |Cleaned { pin, outcome }: Cleaned| {
        let (about, path) = (about(&pin, links), pin.path.display());
        match outcome {
            Ok(()) => Finding::ok(&about, format!("pin {path} removed")),
            Err(error) => {
                let advice = match &error {
                    CleanError::InUse => "stop it with SIGTERM, which removes it",
                    CleanError::Elsewhere => "run this there (`ip netns exec`)",
                    CleanError::Io(_) => "run this as root",
                };
                Finding::not_ok(Verdict::Warning, &about, format!("pin {path} is left: {error}"), advice)
            }
        }
    };
    cleaned.into_iter().map(done).collect()
}

fn about(pin: &FoundPin, links: &Links) -> String {
    match links.get(pin.ifindex).filter(|_| pin.state == PinState::Here) {
        Some(link) => format!("link {}", link.name),
        None => format!("link {}", pin.ifindex),
    }
}
