//! `trunkpath run`, and the commands that speak with it.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::bpffs::Bpffs;
use crate::command::{output, succeed, trunkpath};
use crate::netns::{Netns, command_in};
use crate::records::CHASSIS;
use crate::wait::until;

/// The user without files of its own.
const NOBODY: u32 = 65534;

/// The files of one daemon: its database, unless that is elsewhere, its socket, its log, its pins.
#[derive(Debug)]
pub struct Files {
    dir: tempfile::TempDir,
    _bpffs: Bpffs,
    /// Where the daemon pins its programs.
    pub pin_folder: PathBuf,
    /// The NB DB's URL, as the daemon is given it.
    pub url: String,
    /// The namespace that `trunkpath nb` runs in.
    netns: Option<String>,
    /// Where the daemon writes its log instead of the file `log`.
    pub stderr: Option<File>,
}

impl Files {
    /// None of them yet.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("nb.db").display());
        let bpffs = Bpffs::new();
        let pin_folder = bpffs.path().join("trunkpath");
        Self { dir, _bpffs: bpffs, pin_folder, url, netns: None, stderr: None }
    }

    /// The NB DB is at `url`, and what a test writes to it is written from `netns`.
    pub fn use_db(&mut self, url: &str, netns: &Netns) {
        (self.url, self.netns) = (url.to_owned(), Some(netns.name().to_owned()));
    }

    /// `trunkpath nb ARGUMENTS`.
    ///
    /// # Panics
    /// When it fails.
    pub fn nb(&self, arguments: &[&str], input: &str) -> String {
        succeed(&mut self.nb_command(arguments), input)
    }

    fn nb_command(&self, arguments: &[&str]) -> Command {
        let mut command = match &self.netns {
            Some(netns) => command_in(netns, trunkpath()),
            None => Command::new(trunkpath()),
        };
        command.args(["nb", "--nb", &self.url]).args(arguments);
        command
    }

    /// Where the last good state is kept.
    pub fn state(&self) -> PathBuf {
        self.path("last-good.db")
    }

    /// All that is pinned there, as `NAMESPACE/DEVICE`.
    pub fn pins(&self) -> Vec<String> {
        let names = |folder: &Path| -> Vec<String> {
            let entries = fs::read_dir(folder).into_iter().flatten();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        let folders = names(&self.pin_folder).into_iter();
        let pins = folders.flat_map(|folder| {
            let pins = names(&self.pin_folder.join(&folder)).into_iter();
            pins.map(move |pin| format!("{folder}/{pin}")).collect::<Vec<_>>()
        });
        pins.collect()
    }

    /// `trunkpath check ARGUMENTS` in `netns`: what it printed, and whether it was content.
    pub fn check(&self, netns: &Netns, arguments: &[&str]) -> (String, bool) {
        let mut command = netns.command(trunkpath());
        command.arg("check").arg("--pin-folder").arg(&self.pin_folder).args(arguments);
        let answer = output(&mut command, "");
        let said = [answer.stdout, answer.stderr].concat();
        (String::from_utf8(said).unwrap(), answer.status.success())
    }

    /// A path for a file of the daemon's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What the daemon answers to `trunkpath WORDS`, as people see it.
    pub fn ask(&self, words: &[&str]) -> String {
        succeed(Command::new(trunkpath()).args(words).arg("--api").arg(self.path("api.sock")), "")
    }

    fn open_log(&self) -> File {
        match &self.stderr {
            Some(stderr) => stderr.try_clone().unwrap(),
            None => File::options().create(true).append(true).open(self.path("log")).unwrap(),
        }
    }

    /// What the daemon said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

/// A running daemon. Killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    process: Child,
    api: PathBuf,
}

impl Daemon {
    /// Starts one in `netns`, with more arguments for `trunkpath run`.
    pub fn start(netns: &Netns, files: &Files, arguments: &[String]) -> Self {
        Self::start_by(netns.command(trunkpath()), files, arguments)
    }

    /// Starts one in `netns` with the default pin folder.
    pub fn start_in_default_folder(netns: &Netns, files: &Files, arguments: &[String]) -> Self {
        Self::start_with(netns.command(trunkpath()), files, arguments)
    }

    /// Starts one in `netns` that keeps the mounts of this test, which `ip netns exec` does not.
    pub fn start_among_our_mounts(netns: &Netns, files: &Files, arguments: &[String]) -> Self {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", netns.name()));
        command.args(["setpriv", "--pdeathsig", "KILL"]).arg(trunkpath());
        Self::start_by(command, files, arguments)
    }

    /// Starts one as the user nobody, with the capabilities that README names and these.
    pub fn start_as_nobody(netns: &Netns, files: &Files, arguments: &[String], besides: &str) -> Self {
        let capabilities = format!("-all,+net_admin,+net_raw,+bpf,+ipc_lock{besides}");
        // The folder of the build may be closed to it.
        let program = files.path("trunkpath");
        fs::copy(trunkpath(), &program).unwrap();
        if let Some(bpffs) = files.pin_folder.parent() {
            chown(bpffs, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        for path in fs::read_dir(files.dir.path()).unwrap().map(|entry| entry.unwrap().path()) {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        chown(files.dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        let mut command = netns.command("setpriv");
        command
            .args(["--reuid", &NOBODY.to_string(), "--regid", &NOBODY.to_string(), "--clear-groups"])
            .args(["--inh-caps", &capabilities, "--ambient-caps", &capabilities])
            .args(["--bounding-set", &capabilities])
            .args(["--no-new-privs", "--pdeathsig", "KILL"])
            .arg(program);
        Self::start_by(command, files, arguments)
    }

    fn start_by(command: Command, files: &Files, arguments: &[String]) -> Self {
        let pin_folder = ["--pin-folder".to_owned(), files.pin_folder.display().to_string()];
        Self::start_with(command, files, &[&pin_folder, arguments].concat())
    }

    fn start_with(mut command: Command, files: &Files, arguments: &[String]) -> Self {
        let api = files.path("api.sock");
        let log = files.open_log();
        let process = command
            .args(["run", "--nb", &files.url, "--chassis", CHASSIS, "--api"])
            .arg(&api)
            .arg("--state")
            .arg(files.state())
            .args(arguments)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { process, api }
    }

    /// `trunkpath show WHAT --json`; `None` while nothing answers.
    pub fn show(&self, what: &str) -> Option<Value> {
        ask(&self.api, &["show", what])
    }

    /// What the kernel says of each of its threads (`/proc/PID/status`) under this key.
    pub fn thread_status(&self, key: &str) -> Vec<String> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let of_thread = |thread: PathBuf| {
            // Some come and go.
            let status = fs::read_to_string(thread.join("status")).ok()?;
            Some(status.lines().find_map(|line| line.strip_prefix(key))?.trim().to_owned())
        };
        threads.filter_map(|thread| of_thread(thread.unwrap().path())).collect()
    }

    /// `trunkpath stats --json`.
    pub fn stats(&self) -> Value {
        ask(&self.api, &["stats"]).unwrap()
    }

    /// `trunkpath stats`, or why there are none.
    pub fn stats_for_people(&self) -> String {
        let answer = output(Command::new(trunkpath()).args(["stats", "--api"]).arg(&self.api), "");
        [answer.stdout, answer.stderr].iter().map(|said| String::from_utf8_lossy(said)).collect()
    }

    /// Waits until every row of `trunkpath show WHAT` is up, and there are `count`.
    pub fn wait_until_up(&self, what: &str, count: usize) {
        until(&format!("{count} {what} that are up"), || {
            let rows = self.show(what)?;
            let up = rows.as_array()?.iter().filter(|row| row["state"] == "up").count();
            (up == count).then_some(())
        });
    }

    /// Waits until `trunkpath show problems` has a row that contains `text`.
    pub fn wait_for_problem(&self, text: &str) {
        until(&format!("a problem with {text:?}"), || {
            let problems = self.show("problems")?;
            problems.as_array()?.iter().any(|row| row.to_string().contains(text)).then_some(())
        });
    }

    /// Waits until `trunkpath show nb` says that the DB is in this state.
    pub fn wait_for_nb(&self, state: &str) {
        until(&format!("an NB DB that is {state:?}"), || {
            self.show("nb")?["state"].as_str()?.starts_with(state).then_some(())
        });
    }

    /// Waits until the tables in force are those compiled from a fresh read of the NB DB, and nothing is wrong but, for a
    /// minute, what guests have sent meanwhile.
    pub fn wait_until_converged(&self) {
        self.wait_for_nb("followed");
        until("no drift", || self.show("drift")?.as_array()?.is_empty().then_some(()));
        until("no problem", || {
            let problems = self.show("problems")?;
            problems.as_array()?.iter().all(|row| row.to_string().contains(" sends VLAN ")).then_some(())
        });
    }

    /// The frames that ended at the port with this id for `reason`.
    pub fn dropped(&self, port: &str, reason: &str) -> u64 {
        let stats = self.stats();
        let port = stats["ports"].as_array().unwrap().iter().find(|row| row["lport"] == port).unwrap();
        port["drops"][reason].as_u64().unwrap_or(0)
    }

    /// Makes sure that no frame of the UMEM is lost or doubled. Frames move while they are counted, so one good count
    /// is what it waits for.
    pub fn assert_frames_conserved(&self) {
        until("all frames of the UMEM to be somewhere", || {
            let frames = &self.stats()["frames"];
            (frames["total"].as_u64()? > 0 && frames["sum"] == frames["total"]).then_some(())
        });
    }

    /// Ends it as a service manager would.
    ///
    /// # Panics
    /// When it ends with an error.
    pub fn stop(mut self) {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        let status = until("the daemon to end after SIGTERM", || self.process.try_wait().unwrap());
        assert!(status.success(), "trunkpath run ended with {status} after SIGTERM");
    }

    /// Ends it in the middle of whatever it does.
    pub fn kill(mut self) {
        kill(self.pid(), Signal::SIGKILL).unwrap();
        assert_eq!(self.process.wait().unwrap().signal(), Some(Signal::SIGKILL as i32));
    }

    /// Does `work` while the daemon stands still, which notices all of it at once afterwards.
    pub fn while_stopped(&self, work: impl FnOnce()) {
        kill(self.pid(), Signal::SIGSTOP).unwrap();
        work();
        kill(self.pid(), Signal::SIGCONT).unwrap();
    }

    /// The id of its thread with that name.
    pub fn thread(&self, name: &str) -> String {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap().flatten();
        let named =
            |path: &Path| fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name);
        let thread = threads.map(|thread| thread.path()).find(|path| named(path));
        thread.unwrap().file_name().unwrap().to_string_lossy().into_owned()
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended; a drop does not panic.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn ask(api: &Path, words: &[&str]) -> Option<Value> {
    let answer = output(Command::new(trunkpath()).args(words).arg("--json").arg("--api").arg(api), "");
    if !answer.status.success() {
        return None;
    }
    Some(serde_json::from_slice(&answer.stdout).unwrap_or_else(|error| {
        panic!("{words:?} --json is no JSON: {error}: {}", String::from_utf8_lossy(&answer.stdout))
    }))
}
