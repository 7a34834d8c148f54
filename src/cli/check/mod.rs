//! `trunkpath check`: the requirements of the switch that this host meets or not, with a remedy for each that
//! it does not.

mod finding;
mod host;
mod link;
mod pins;

use std::path::PathBuf;
use std::process::ExitCode;

use super::daemon::block_on;
use super::output::{print, print_json};
use crate::config::DEFAULT_PIN_FOLDER;
use crate::control::links::{Link, LinkWatch, Links};
use crate::kernel::{FoundPin, PinState};
use crate::types::printable;
use finding::{Finding, Verdict};

/// Options of `trunkpath check`.
#[derive(Debug, clap::Args)]
pub struct CheckArgs {
    /// Links for ports; without any, all links are checked and none is required to be usable
    #[arg(value_name = "LINK")]
    links: Vec<String>,
    #[arg(long, value_name = "DIR", default_value = DEFAULT_PIN_FOLDER, help = "Folder of the switch's pinned programs")]
    pin_folder: PathBuf,
    /// Remove pins that a killed switch left in this network namespace, and stale pins of all namespaces
    #[arg(long)]
    clean: bool,
    /// Print the findings as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Prints the findings. The exit code is non-zero when a requirement is missing.
pub(super) fn run(args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let (links, _) = block_on(async { Ok(LinkWatch::open().await?) })?;
    let mut findings = host::findings();
    if args.clean {
        findings.extend(pins::clean(&args.pin_folder, &links));
    }
    let (pinned, about_pins) = pins::findings(&args.pin_folder, &links);
    findings.extend(about_pins);
    findings.extend(of_links(&links, &args.links, &pinned));
    if args.json {
        print_json(&findings)?;
    } else {
        print(&show(&findings))?;
    }
    let missing = findings.iter().any(|finding| finding.verdict == Verdict::Missing);
    Ok(if missing { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn of_links(links: &Links, required: &[String], pinned: &[FoundPin]) -> Vec<Finding> {
    let check = |link: &Link, lacking| {
        let is_pinned = pinned
            .iter()
            .any(|pin| pin.ifindex == link.ifindex && pin.state == PinState::Here && !pin.is_in_use);
        link::findings(link, lacking, is_pinned)
    };
    if required.is_empty() {
        let links = links.iter().filter(|link| link.name != "lo");
        return links.flat_map(|link| check(link, Verdict::Warning)).collect();
    }
    let check = |name: &String| match links.named(name) {
        Some(link) => check(link, Verdict::Missing),
        None => vec![no_link(links, name)],
    };
    required.iter().flat_map(check).collect()
}

fn no_link(links: &Links, name: &str) -> Finding {
    let nearest = links.iter().min_by_key(|link: &&Link| strsim::damerau_levenshtein(&link.name, name));
    let advice = match nearest {
        Some(link) => format!("the most similar name is {}; `ip link` lists all", link.name),
        None => "`ip link` lists all".to_owned(),
    };
    Finding::not_ok(Verdict::Missing, &format!("link {name}"), "it does not exist", advice)
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
        (0, 0) => "nothing is missing".to_owned(),
        (0, 1) => "nothing is missing; 1 warning".to_owned(),
        (0, warnings) => format!("nothing is missing; {warnings} warnings"),
        (missing, _) => format!("{missing} missing: trunkpath does not work without"),
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
             1 missing: trunkpath does not work without\n"
        );
        assert!(show(&[ok]).ends_with("nothing is missing\n"));
    }
}
