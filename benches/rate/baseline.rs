//! The regression check: figures compared with those in `benches/baseline.json`.
//!
//! Rates depend on the machine; compared are ratios of rates measured side by side, and instructions, which
//! only a compiler changes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use comfy_table::{Table, presets};
use serde::{Deserialize, Serialize};

/// Tolerance of a new ratio.
const RATIO_TOLERANCE: f64 = 0.4;
/// Tolerance of instructions that another compiler counted.
const OTHER_COMPILER_TOLERANCE: f64 = 0.1;

/// Path of the file, from the root of the repository.
const FILE: &str = "benches/baseline.json";

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE)
}

/// Content of the file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Baseline {
    /// Compiler of the counted program, see [`compiler`].
    pub compiler: String,
    /// By case of the bench `instructions`; less is better.
    pub instructions: BTreeMap<String, Entry>,
    /// By job and datapaths: trunkpath's rate divided by the other's; more is better.
    pub ratios: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Entry {
    pub value: f64,
    /// Fraction by which a new figure may be worse.
    pub tolerance: f64,
}

impl Entry {
    pub const fn exact(value: f64) -> Self {
        Self { value, tolerance: 0.0 }
    }

    pub const fn ratio(value: f64) -> Self {
        Self { value, tolerance: RATIO_TOLERANCE }
    }
}

impl Baseline {
    pub fn read() -> Result<Self> {
        let text = fs::read_to_string(path())
            .with_context(|| format!("{FILE}: scripts/bench --rebase writes it"))?;
        serde_json::from_str(&text).context(FILE)
    }

    /// Adds the counts in a file that the bench `instructions` wrote.
    pub fn add_instructions(&mut self, file: &Path) -> Result<()> {
        #[derive(Deserialize)]
        struct Counts {
            instructions: BTreeMap<String, f64>,
        }
        let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
        let counts: Counts = serde_json::from_str(&text).with_context(|| format!("{}", file.display()))?;
        self.compiler = compiler()?;
        self.instructions
            .extend(counts.instructions.into_iter().map(|(case, count)| (case, Entry::exact(count))));
        Ok(())
    }

    /// Writes the file. Figures that were not measured stay, and so do tolerances.
    pub fn write(mut self) -> Result<()> {
        if let Ok(before) = Self::read() {
            if self.instructions.is_empty() {
                (self.compiler, self.instructions) = (before.compiler.clone(), before.instructions.clone());
            }
            if self.ratios.is_empty() {
                self.ratios.clone_from(&before.ratios);
            }
            for (new, old) in
                [(&mut self.instructions, &before.instructions), (&mut self.ratios, &before.ratios)]
            {
                for (what, entry) in new.iter_mut() {
                    entry.tolerance = old.get(what).map_or(entry.tolerance, |old| old.tolerance);
                }
            }
        }
        for entry in self.ratios.values_mut() {
            entry.value = (entry.value * 1000.0).round() / 1000.0;
        }
        fs::write(path(), serde_json::to_string_pretty(&self)? + "\n")?;
        println!("{FILE} written");
        Ok(())
    }

    /// Prints a comparison of `now` with this. Fails if a figure is worse than its tolerance or was not
    /// measured.
    pub fn compare(&self, now: &Self) -> Result<()> {
        let same_compiler = self.compiler == now.compiler;
        if !same_compiler && !now.instructions.is_empty() {
            println!(
                "the baseline's instructions were counted with {}, these with {}: {:.0} % more are tolerated",
                self.compiler,
                now.compiler,
                OTHER_COMPILER_TOLERANCE * 100.0
            );
        }
        let mut findings = Vec::new();
        for (case, entry) in &self.instructions {
            let more = if same_compiler { 0.0 } else { OTHER_COMPILER_TOLERANCE };
            let entry = Entry { tolerance: entry.tolerance.max(more), ..*entry };
            findings.push(Finding::less_is_better(
                format!("instructions {case}"),
                entry,
                now.instructions.get(case),
            ));
        }
        findings.extend(self.worse_ratios(now, false));
        for what in now.instructions.keys().filter(|case| !self.instructions.contains_key(*case)) {
            println!("new: {what}: scripts/bench --rebase takes it into the baseline");
        }
        println!("{}", table(&findings));
        let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
        let (worse, missing) = (count(Verdict::Worse), count(Verdict::NotMeasured));
        if worse + missing > 0 {
            bail!(
                "of {} figures {worse} are worse than {FILE} allows, and {missing} were not measured",
                findings.len()
            );
        }
        Ok(())
    }

    /// Comparison of the ratios, or of the worse ones only.
    pub fn worse_ratios(&self, now: &Self, only_worse: bool) -> Vec<Finding> {
        let all = self.ratios.iter().map(|(what, entry)| {
            Finding::more_is_better(format!("rate {what}"), *entry, now.ratios.get(what))
        });
        all.filter(|finding| !only_worse || finding.verdict == Verdict::Worse).collect()
    }
}

/// Version of the compiler, and settings of cargo that differ from Cargo.toml.
fn compiler() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output().context("rustc --version")?;
    let mut parts = vec![String::from_utf8_lossy(&output.stdout).trim().to_owned()];
    let settings =
        std::env::vars().filter(|(name, _)| name.starts_with("CARGO_PROFILE_") || name == "RUSTFLAGS");
    let mut settings: Vec<_> = settings.map(|(name, value)| format!("{name}={value}")).collect();
    settings.sort();
    parts.extend(settings);
    Ok(parts.join(" "))
}

/// A figure compared with the baseline.
#[derive(Debug, Clone)]
pub struct Finding {
    what: String,
    baseline: Entry,
    now: Option<f64>,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Better,
    Worse,
    NotMeasured,
}

impl Finding {
    fn less_is_better(what: String, baseline: Entry, now: Option<&Entry>) -> Self {
        Self::new(what, baseline, now, 1.0)
    }

    fn more_is_better(what: String, baseline: Entry, now: Option<&Entry>) -> Self {
        Self::new(what, baseline, now, -1.0)
    }

    /// `sign` is the sign of a change for the worse.
    fn new(what: String, baseline: Entry, now: Option<&Entry>, sign: f64) -> Self {
        let now = now.map(|entry| entry.value);
        let verdict = now.map_or(Verdict::NotMeasured, |now| {
            let worse_by = sign * (now - baseline.value) / baseline.value;
            // Exceeds the rounding of a decimal fraction.
            let margin = baseline.tolerance + 1e-9;
            match worse_by {
                by if by > margin => Verdict::Worse,
                by if by < -margin => Verdict::Better,
                _ => Verdict::Good,
            }
        });
        Self { what, baseline, now, verdict }
    }

    fn change(&self) -> Option<f64> {
        self.now.map(|now| (now - self.baseline.value) / self.baseline.value)
    }
}

fn table(findings: &[Finding]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["figure", "baseline", "now", "change", "tolerated", ""]);
    for finding in findings {
        let verdict = match finding.verdict {
            Verdict::Good => "ok",
            Verdict::Better => "ok; better: scripts/bench --rebase keeps it so",
            Verdict::Worse => "WORSE",
            Verdict::NotMeasured => "NOT MEASURED",
        };
        let number =
            |value: f64| if value.fract() == 0.0 { format!("{value}") } else { format!("{value:.3}") };
        let change = finding.change().map(|change| format!("{:+.2} %", change * 100.0));
        table.add_row([
            finding.what.clone(),
            number(finding.baseline.value),
            finding.now.map(number).unwrap_or_default(),
            change.unwrap_or_default(),
            format!("{:.0} %", finding.baseline.tolerance * 100.0),
            verdict.to_owned(),
        ]);
    }
    table
}
