//! `trunkpath check`: what works here, what does not, and what to do about it.

mod host;
mod link;
mod pins;

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::daemon::block_on;
use super::output::{print, print_json};
use crate::config::DEFAULT_PIN_FOLDER;
use crate::control::links::{Link, LinkWatch, Links};
use crate::kernel::{FoundPin, PinState};
use crate::types::printable;

/// Options of `trunkpath check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Devices that are to be ports; without any, all are looked at and none has to fit
    #[arg(value_name = "DEV")]
    devices: Vec<String>,
    #[arg(long, value_name = "DIR", default_value = DEFAULT_PIN_FOLDER, help = "Where a switch pins its programs")]
    pin_folder: PathBuf,
    /// Remove what a killed switch left pinned in this network namespace, and stale pins of any
    #[arg(long)]
    clean: bool,
    /// Print the findings as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// One thing looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    verdict: Verdict,
    /// `kernel`, `link veth0`, ...
    about: String,
    /// What was found.
    found: String,
    /// What to do, unless all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// Works.
    Ok,
    /// Works, but.
    Warning,
    /// Does not work, and is needed.
    Missing,
}

impl Finding {
    fn ok(about: &str, found: impl Into<String>) -> Self {
        Self { verdict: Verdict::Ok, about: about.to_owned(), found: found.into(), advice: None }
    }

    fn not_ok(verdict: Verdict, about: &str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { verdict, about: about.to_owned(), found: found.into(), advice: Some(advice.into()) }
    }
}

/// Runs the command. The exit code is non-zero when something is missing.
pub(super) fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let (links, _) = block_on(async { Ok(LinkWatch::open().await?) })?;
    let mut findings = host::findings();
    if args.clean {
        findings.extend(pins::clean(&args.pin_folder, &links));
    }
    let (pinned, about_pins) = pins::findings(&args.pin_folder, &links);
    findings.extend(about_pins);
    findings.extend(links_wanted(&links, &args.devices, &pinned));
    if args.json {
        print_json(&findings)?;
    } else {
        print(&show(&findings))?;
    }
    let missing = findings.iter().any(|finding| finding.verdict == Verdict::Missing);
    Ok(if missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn links_wanted(links: &Links, devices: &[String], pinned: &[FoundPin]) -> Vec<Finding> {
    let look = |link: &Link, lacking| {
        let is_pinned = pinned
            .iter()
            .any(|pin| pin.ifindex == link.ifindex && pin.state == PinState::Here && !pin.is_in_use);
        link::findings(link, lacking, is_pinned)
    };
    if devices.is_empty() {
        // Not every link is to be a port: what one lacks is no more than worth knowing.
        let others = links.iter().filter(|link| link.name != "lo");
        return others.flat_map(|link| look(link, Verdict::Warning)).collect();
    }
    let look = |device: &String| match links.named(device) {
        Some(link) => look(link, Verdict::Missing),
        None => vec![no_device(links, device)],
    };
    devices.iter().flat_map(look).collect()
}

fn no_device(links: &Links, device: &str) -> Finding {
    let nearest = links.iter().min_by_key(|link: &&Link| strsim::damerau_levenshtein(&link.name, device));
    let advice = match nearest {
        Some(link) => format!("the nearest name here is {}; `ip link` lists all", link.name),
        None => "`ip link` lists all".to_owned(),
    };
    Finding::not_ok(Verdict::Missing, &format!("link {device}"), "there is no such device", advice)
}

fn show(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| printable(&finding.about).chars().count()).max().unwrap_or(0);
    let line = |finding: &Finding| {
        let verdict = match finding.verdict {
            Verdict::Ok => "ok     ",
            Verdict::Warning => "warning",
            Verdict::Missing => "MISSING",
        };
        let (about, found) = (printable(&finding.about), printable(&finding.found));
        let advice = finding.advice.as_deref().map(printable);
        let advice = advice.map_or_else(String::new, |todo| format!("{:7}  {:width$}  -> {todo}\n", "", ""));
        format!("{verdict}  {about:width$}  {found}\n{advice}")
    };
    let lines: String = findings.iter().map(line).collect();
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let summary = match (count(Verdict::Missing), count(Verdict::Warning)) {
        (0, 0) => "everything that trunkpath needs is there".to_owned(),
        (0, warnings) => format!("everything that trunkpath needs is there; {warnings} to look at"),
        (missing, _) => format!("{missing} missing: trunkpath will not work until that is mended"),
    };
    format!("{lines}\n{summary}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_screen_ends_with_the_answer() {
        let ok = Finding::ok("kernel", "6.18");
        let bad = Finding::not_ok(Verdict::Missing, "link a\x1bb", "gone", "make it");
        assert_eq!(
            show(&[ok.clone(), bad]),
            "ok       kernel         6.18\n\
             MISSING  link a\\u{1b}b  gone\n                        -> make it\n\n\
             1 missing: trunkpath will not work until that is mended\n"
        );
        assert!(show(&[ok]).ends_with("everything that trunkpath needs is there\n"));
    }
}
