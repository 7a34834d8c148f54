//! The servers of all programs.

use std::fs;
use std::path::Path;
use std::process::Command;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;
use testkit::command::succeed;
use testkit::process::Process;

use super::place::Place;
use super::table::ALL;

/// Running servers; they end with the value.
pub struct Servers {
    _running: Vec<Process>,
    folder: TempDir,
}

impl Servers {
    pub fn start(place: &Place) -> Self {
        let folder = TempDir::new().unwrap();
        write_files(folder.path());
        let log = folder.path().join("log");
        let started = ALL.iter().filter_map(|program| {
            let netns = if program.is_behind { &place.behind } else { place.server };
            let line = in_folder(program.server?, folder.path());
            // In a PID namespace, which the processes of a server's sessions do not outlive.
            let mut command = netns.command("unshare");
            command.args(["--pid", "--fork", "--kill-child", "sh", "-c", &line]);
            Some(Process::start(&mut command, &log))
        });
        Self { _running: started.collect(), folder }
    }

    /// Fills in the folder of a command.
    pub fn complete(&self, line: &str) -> String {
        in_folder(line, self.folder.path())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
            eprintln!("--- log of the servers\n{}", String::from_utf8_lossy(&log));
        }
    }
}

fn in_folder(line: &str, folder: &Path) -> String {
    line.replace("{files}", folder.to_str().unwrap())
}

fn write_files(folder: &Path) {
    let write = |name: &str, content: &str| fs::write(folder.join(name), content).unwrap();
    write("hello", "passed");
    let key = KeyPair::generate().unwrap();
    write("tls-key", &key.serialize_pem());
    write("tls-cert", &CertificateParams::new([]).unwrap().self_signed(&key).unwrap().pem());
    for name in ["key", "host-key"] {
        // No passphrase: an empty argument.
        let mut keygen = Command::new("ssh-keygen");
        succeed(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(name)), "");
    }
}
