//! The processes that hold a BPF program.

use std::fmt;
use std::fs;
use std::path::Path;

use libbpf_rs::query::{LinkInfoIter, ProgInfoIter};

/// The name and the holders of a BPF program. Empty without the capability to list programs
/// (`CAP_SYS_ADMIN`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProgramOwner {
    /// The name of the program's function in its source.
    pub name: Option<String>,
    /// Processes that hold it, or the `bpf_link` that attaches it.
    pub processes: Vec<Process>,
}

/// A running process, from `/proc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// The id in this pid namespace.
    pub pid: u32,
    /// The command name (`comm`), at most 15 bytes.
    pub command: String,
}

impl fmt::Display for ProgramOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name:?}, ")?,
            None => f.write_str("of unknown name, ")?,
        }
        if self.processes.is_empty() {
            return f.write_str("held by no visible process");
        }
        for (number, Process { pid, command }) in self.processes.iter().enumerate() {
            let before = if number == 0 { "held by" } else { " and" };
            write!(f, "{before} {command} (process {pid})")?;
        }
        Ok(())
    }
}

/// Finds the owner of the program with this id.
#[must_use]
pub fn owner_of(program_id: u32) -> ProgramOwner {
    let name = ProgInfoIter::default()
        .find(|info| info.id == program_id)
        .map(|info| info.name.to_string_lossy().into_owned());
    // Lines that the kernel prints for a descriptor (bpf_prog_show_fdinfo, bpf_link_show_fdinfo).
    let marks: Vec<String> = LinkInfoIter::default()
        .filter(|link| link.prog_id == program_id)
        .map(|link| format!("link_id:\t{}", link.id))
        .chain([format!("prog_id:\t{program_id}")])
        .collect();
    ProgramOwner { name, processes: holders(&marks) }
}

/// Processes with a file descriptor whose `fdinfo` has one of these lines. A process that ends meanwhile, or
/// whose descriptors this user may not read, is skipped.
fn holders(marks: &[String]) -> Vec<Process> {
    let holds = |process: &Path| {
        let descriptors = fs::read_dir(process.join("fdinfo")).into_iter().flatten().flatten();
        descriptors
            .filter_map(|descriptor| fs::read_to_string(descriptor.path()).ok())
            .any(|info| info.lines().any(|line| marks.iter().any(|mark| mark == line)))
    };
    let mut found: Vec<Process> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .filter(|(_, path): &(u32, _)| holds(path))
        .map(|(pid, path)| Process { pid, command: command(&path) })
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

fn command(process: &Path) -> String {
    fs::read_to_string(process.join("comm"))
        .map_or_else(|_| "?".to_owned(), |name| name.trim_end().to_owned())
}
