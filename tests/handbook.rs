//! The tables in `docs/behaviour.md` that tests compare with lists in code.

use std::path::Path;

/// The last cell of each row of the table in the section with this heading.
pub fn last_column(heading: &str) -> Vec<String> {
    let handbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/behaviour.md");
    let text = std::fs::read_to_string(handbook).unwrap();
    let (_, section) = text.split_once(heading).expect("the section");
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.filter_map(|row| row.trim_end_matches(" |").rsplit("| ").next()).map(str::to_owned).collect()
}
