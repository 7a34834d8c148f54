//! Instruction counts by callgrind.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

/// Runs this program with `arguments` under callgrind. Returns the instructions of its function `counted`.
pub fn count(arguments: &[&str]) -> anyhow::Result<u64> {
    let folder = tempfile::tempdir()?;
    let profile = folder.path().join("profile");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*::counted"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(std::env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("cannot start valgrind: install it (`scripts/setup bench`)")?;
    if !output.status.success() {
        bail!("valgrind failed with {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    total(&profile)
}

/// Total of a profile of callgrind.
fn total(profile: &Path) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(profile).with_context(|| format!("no {}", profile.display()))?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    let total = total.and_then(|total| total.trim().parse().ok());
    total
        .filter(|total| *total > 0)
        .context("callgrind's profile has no line \"totals: NUMBER\" above 0: is `counted` inlined?")
}

/// Version that `program` prints.
pub fn version(program: &str, option: &str) -> anyhow::Result<String> {
    let output =
        Command::new(program).arg(option).output().with_context(|| format!("cannot start {program}"))?;
    ensure!(output.status.success(), "{program} {option} failed with {}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
