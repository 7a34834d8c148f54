//! Whose is this BPF program?

use std::fmt;
use std::fs;
use std::path::Path;

use libbpf_rs::query::{LinkInfoIter, ProgInfoIter};

/// What keeps a BPF program alive. Without the capability to list programs (`CAP_SYS_ADMIN`) all of it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProgramOwner {
    /// The program's name, as its author wrote it.
    pub name: Option<String>,
    /// Processes that hold it, or the `bpf_link` that attaches it.
    pub processes: Vec<Process>,
}

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Its name.
    pub command: String,
}

impl fmt::Display for ProgramOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name:?}, ")?,
            None => f.write_str("of unknown name, ")?,
        }
        if self.processes.is_empty() {
            return f.write_str("held by no process that we can see");
        }
        for (number, Process { pid, command }) in self.processes.iter().enumerate() {
            let before = if number == 0 { "held by" } else { " and" };
            write!(f, "{before} {command} (process {pid})")?;
        }
        Ok(())
    }
}

/// Looks for the owner of the program with this number.
#[must_use]
pub fn owner_of(program: u32) -> ProgramOwner {
    let name = ProgInfoIter::default()
        .find(|info| info.id == program)
        .map(|info| info.name.to_string_lossy().into_owned());
    // The kernel's names of a file descriptor's object (bpf_prog_show_fdinfo, bpf_link_show_fdinfo).
    let marks: Vec<String> = LinkInfoIter::default()
        .filter(|link| link.prog_id == program)
        .map(|link| format!("link_id:\t{}", link.id))
        .chain([format!("prog_id:\t{program}")])
        .collect();
    ProgramOwner { name, processes: holders(&marks) }
}

/// Processes with a file descriptor whose `fdinfo` has one of these lines. Processes come and go while we look,
/// and some are not ours to look at: those are passed over.
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
