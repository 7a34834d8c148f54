//! The report as a table.

use comfy_table::{CellAlignment, Table, presets};

use super::{NOISE_BOUND, Row};
use crate::machine::Machine;
use crate::plan::NotRun;

/// Places with a smaller fraction of the drops are omitted.
const SMALLEST_PART: f64 = 0.01;

/// Prints all rows, their meaning, and what is missing.
pub fn print(machine: &Machine, rows: &[Row], not_run: &[NotRun]) {
    println!(
        "{}, Linux {}, {} CPU(s), {}, {}",
        machine.cpu,
        machine.kernel,
        machine.cpus.len(),
        machine.mode,
        machine.date
    );
    if machine.cpus.len() == 1 {
        println!("ONE CPU: generator and datapath share it, so the rates are not meaningful");
    }
    if !rows.is_empty() {
        println!("{}", table(rows));
        legend();
    }
    for NotRun { what, why } in not_run {
        println!("not run: {what}: {}", why.lines().next().unwrap_or_default());
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "job",
        "datapath",
        "Mpps",
        "min",
        "max",
        "trunkpath ÷ it",
        "offered",
        "on-CPU ns",
        "cycles",
        "frames dropped at",
    ]);
    for column in table.column_iter_mut().skip(2).take(7) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut job = "";
    for row in rows {
        let again = row.job == job;
        job = &row.job;
        table.add_row(cells(row, if again { "" } else { job }));
    }
    table
}

fn cells(row: &Row, job: &str) -> Vec<String> {
    let median = if row.too_noisy {
        format!("too noisy ({:.0} %)", row.spread * 100.0)
    } else {
        format!("{:.3}", row.median_mpps)
    };
    vec![
        job.to_owned(),
        row.peer.to_string(),
        median,
        format!("{:.3}", row.min_mpps),
        format!("{:.3}", row.max_mpps),
        row.trunkpath_by_this.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        format!("{:.2}", row.offered_mpps),
        format!("{:.0}{}", row.on_cpu_ns, if row.on_generators_cpu { "+" } else { "" }),
        format!("{}{:.0}", if row.cycles_are_busy { "" } else { "≤" }, row.cycles),
        drops(row),
    ]
}

fn drops(row: &Row) -> String {
    let mut places: Vec<_> = row.lost.iter().filter(|(_, part)| **part >= SMALLEST_PART).collect();
    places.sort_by(|one, other| other.1.total_cmp(one.1));
    let mut words: Vec<_> =
        places.iter().take(3).map(|(place, part)| format!("{place} {:.0} %", **part * 100.0)).collect();
    if row.wrong > 0 {
        words.insert(0, format!("{} frames WRONG", row.wrong));
    }
    words.join(", ")
}

fn legend() {
    println!(
        "Mpps: median over the rounds of the frames that arrived with the right length and tag; \"too noisy\": the rounds \
         are further apart than {:.0} % of it.\n\
         trunkpath ÷ it: the median of the ratios within each round. on-CPU ns: for each such frame, of the datapath's threads \
         (+: the generator's are in it).\n\
         cycles: busy ones by the datapath's own account; ≤: all on-CPU time, waiting included. Drops are parts of the \
         frames sent; one frame can be counted at two places.",
        NOISE_BOUND * 100.0
    );
}
