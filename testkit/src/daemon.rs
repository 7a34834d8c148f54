//! A running `trunkpath run`, its files, and the commands that use its API.

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

/// Id of the user `nobody`.
const NOBODY: u32 = 65534;

/// Files of one daemon: its embedded DB (unless another one is used), API socket, log and pins.
#[derive(Debug)]
pub struct Files {
    dir: tempfile::TempDir,
    _bpffs: Bpffs,
    /// Folder in which the daemon pins its XDP programs.
    pub pin_folder: PathBuf,
    /// URL of the NB DB, as given to the daemon.
    pub url: String,
    /// Name of the host in the NB DB.
    pub chassis: String,
    /// Namespace in which `trunkpath nb` runs; `None` is that of the test.
    netns: Option<String>,
    /// Destination of the log instead of the file `log`.
    pub stderr: Option<File>,
}

impl Files {
    /// A new folder; no file in it exists yet.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("nb.db").display());
        let bpffs = Bpffs::new();
        let pin_folder = bpffs.path().join("trunkpath");
        let chassis = CHASSIS.to_owned();
        Self { dir, _bpffs: bpffs, pin_folder, url, chassis, netns: None, stderr: None }
    }

    /// Uses the NB DB at `url`; `trunkpath nb` runs in `netns`.
    pub fn use_db(&mut self, url: &str, netns: &Netns) {
        (self.url, self.netns) = (url.to_owned(), Some(netns.name().to_owned()));
    }

    /// Runs `trunkpath nb ARGUMENTS` and returns its output.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn nb(&self, arguments: &[&str], input: &str) -> String {
        succeed(&mut self.nb_command(arguments), input)
    }

    /// All records of the NB DB, with the table of each.
    pub fn dump(&self) -> Vec<Value> {
        self.nb(&["dump"], "").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn nb_command(&self, arguments: &[&str]) -> Command {
        let mut command = match &self.netns {
            Some(netns) => command_in(netns, trunkpath()),
            None => Command::new(trunkpath()),
        };
        command.args(["nb", "--nb", &self.url]).args(arguments);
        command
    }

    /// Path of the daemon's copy of the NB DB.
    pub fn state(&self) -> PathBuf {
        self.path("last-good.db")
    }

    /// All pins of the daemon, as `NAMESPACE/LINK`.
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

    /// Runs `trunkpath check ARGUMENTS` in `netns`. Returns its output, and whether it found nothing wrong.
    pub fn check(&self, netns: &Netns, arguments: &[&str]) -> (String, bool) {
        let mut command = netns.command(trunkpath());
        command.arg("check").arg("--pin-folder").arg(&self.pin_folder).args(arguments);
        let answer = output(&mut command, "");
        let printed = [answer.stdout, answer.stderr].concat();
        (String::from_utf8(printed).unwrap(), answer.status.success())
    }

    /// Path of the daemon's file `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Output of `trunkpath WORDS`, as printed for people.
    pub fn ask(&self, words: &[&str]) -> String {
        succeed(Command::new(trunkpath()).args(words).arg("--api").arg(self.path("api.sock")), "")
    }

    /// The same, with whatever it prints if the daemon does not answer.
    pub fn ask_if_up(&self, words: &[&str]) -> String {
        let answer =
            output(Command::new(trunkpath()).args(words).arg("--api").arg(self.path("api.sock")), "");
        String::from_utf8_lossy(&[answer.stdout, answer.stderr].concat()).into_owned()
    }

    fn open_log(&self) -> File {
        match &self.stderr {
            Some(stderr) => stderr.try_clone().unwrap(),
            None => File::options().create(true).append(true).open(self.path("log")).unwrap(),
        }
    }

    /// Content of the log file.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }
}

/// A running daemon, killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    process: Child,
    api: PathBuf,
}

impl Daemon {
    /// Starts a daemon in `netns`, with further arguments for `trunkpath run`.
    pub fn start(netns: &Netns, files: &Files, arguments: &[String]) -> Self {
        Self::start_by(netns.command(trunkpath()), files, arguments)
    }

    /// Starts a daemon in `netns` with the default pin folder.
    pub fn start_in_default_folder(netns: &Netns, files: &Files, arguments: &[String]) -> Self {
        Self::start_with(netns.command(trunkpath()), files, arguments)
    }

    /// Starts a daemon in `netns` that keeps the mounts of this test, unlike `ip netns exec`.
    pub fn start_among_our_mounts(netns: &Netns, files: &Files, arguments: &[String]) -> Self {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", netns.name()));
        command.args(["setpriv", "--pdeathsig", "KILL"]).arg(trunkpath());
        Self::start_by(command, files, arguments)
    }

    /// Starts a daemon as the user nobody, with the capabilities in the README and `besides`.
    pub fn start_as_nobody(netns: &Netns, files: &Files, arguments: &[String], besides: &str) -> Self {
        let capabilities = format!("-all,+net_admin,+net_raw,+bpf,+ipc_lock{besides}");
        // The user nobody may have no access to the build folder.
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
            .args(["run", "--nb", &files.url, "--chassis", &files.chassis, "--api"])
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

    /// Output of `trunkpath show WHAT --json`; `None` while the API does not answer.
    pub fn show(&self, what: &str) -> Option<Value> {
        ask(&self.api, &["show", what])
    }

    /// The value of `key` in `/proc/PID/task/TID/status`, for each of its threads.
    pub fn thread_status(&self, key: &str) -> Vec<String> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let of_thread = |thread: PathBuf| {
            // A thread may have ended meanwhile.
            let status = fs::read_to_string(thread.join("status")).ok()?;
            Some(status.lines().find_map(|line| line.strip_prefix(key))?.trim().to_owned())
        };
        threads.filter_map(|thread| of_thread(thread.unwrap().path())).collect()
    }

    /// Output of `trunkpath stats --json`.
    pub fn stats(&self) -> Value {
        ask(&self.api, &["stats"]).unwrap()
    }

    /// Output of `trunkpath stats`, with its errors.
    pub fn stats_for_people(&self) -> String {
        let answer = output(Command::new(trunkpath()).args(["stats", "--api"]).arg(&self.api), "");
        [answer.stdout, answer.stderr].iter().map(|printed| String::from_utf8_lossy(printed)).collect()
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

    /// Waits until `trunkpath show nb` reports `state`: `followed`, `unread`, or `stale: REASON`.
    pub fn wait_for_nb(&self, state: &str) {
        let wanted = |nb: &Value| {
            let shown = nb["state"].as_str()?;
            let reason = nb["reason"].as_str().map(|reason| format!(": {reason}"));
            (format!("{shown}{}", reason.unwrap_or_default()) == state).then_some(())
        };
        until(&format!("an NB DB that is {state:?}"), || wanted(&self.show("nb")?));
    }

    /// Waits until the published tables equal those compiled from a fresh read of the NB DB.
    pub fn wait_for_no_drift(&self) {
        until("no drift", || self.show("drift")?.as_array()?.is_empty().then_some(()));
    }

    /// Waits until the NB DB is followed, there is [no drift](Self::wait_for_no_drift), and no problem
    /// is shown except those that name sent VLANs: these stay for a minute.
    pub fn wait_until_converged(&self) {
        self.wait_for_nb("followed");
        self.wait_for_no_drift();
        until("no problem", || {
            let problems = self.show("problems")?;
            problems.as_array()?.iter().all(|row| row.to_string().contains(" sends VLAN ")).then_some(())
        });
    }

    /// Frames dropped on the port with this id for `reason`.
    pub fn dropped(&self, port: &str, reason: &str) -> u64 {
        let stats = self.stats();
        let port = stats["ports"].as_array().unwrap().iter().find(|row| row["lport"] == port).unwrap();
        port["drops"][reason].as_u64().unwrap_or(0)
    }

    /// Asserts that every chunk of the UMEM is in exactly one place. Chunks move while they are counted, so
    /// one good count is enough.
    pub fn assert_frames_conserved(&self) {
        until("all frames of the UMEM to be somewhere", || {
            let frames = &self.stats()["chunks"];
            (frames["total"].as_u64()? > 0 && frames["sum"] == frames["total"]).then_some(())
        });
    }

    /// Stops it as a service manager does, by SIGTERM.
    ///
    /// # Panics
    ///
    /// If it exits with an error.
    pub fn stop(mut self) {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        let status = until("the daemon to end after SIGTERM", || self.process.try_wait().unwrap());
        assert!(status.success(), "trunkpath run ended with {status} after SIGTERM");
    }

    /// Kills it by SIGKILL.
    pub fn kill(mut self) {
        kill(self.pid(), Signal::SIGKILL).unwrap();
        assert_eq!(self.process.wait().unwrap().signal(), Some(Signal::SIGKILL as i32));
    }

    /// Runs `work` while the daemon is stopped (SIGSTOP). Afterwards it receives all events at once.
    pub fn while_stopped(&self, work: impl FnOnce()) {
        kill(self.pid(), Signal::SIGSTOP).unwrap();
        work();
        kill(self.pid(), Signal::SIGCONT).unwrap();
    }

    /// Id of its thread with this name.
    pub fn thread(&self, name: &str) -> String {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap().flatten();
        let named =
            |path: &Path| fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim_end() == name);
        let thread = threads.map(|thread| thread.path()).find(|path| named(path));
        thread.unwrap().file_name().unwrap().to_string_lossy().into_owned()
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have exited already, and a drop must not panic.
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
