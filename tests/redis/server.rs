//! A redis server, killed when dropped.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::PATIENCE;

pub struct Server {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    process: Child,
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    /// A server with its default configuration, that is, without keyspace notifications.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// A server with keyspace notifications.
    pub fn notifying() -> Self {
        Self::with(&["--notify-keyspace-events", "Kg$"])
    }

    pub fn with(options: &[&str]) -> Self {
        Self::at(tempfile::tempdir().unwrap(), options)
    }

    /// A server whose files are in `folder`.
    pub fn at(folder: TempDir, options: &[&str]) -> Self {
        let options: Vec<_> = options.iter().map(ToString::to_string).collect();
        // Another program may have taken the port meanwhile.
        for _ in 0..10 {
            let port = free_port();
            if let Some(process) = launch(folder.path(), port, &options) {
                return Self { folder, port, options, process };
            }
        }
        panic!("redis-server does not start: run scripts/setup test");
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The URL with options.
    pub fn url_with(&self, options: &str) -> String {
        format!("{}?{options}", self.url())
    }

    /// Runs a command as another program would.
    pub fn does<T: redis::FromRedisValue>(&self, command: &[&str]) -> T {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        redis::cmd(command[0]).arg(&command[1..]).query(&mut connection).unwrap()
    }

    pub fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Saves the data and restarts the server on the same port.
    pub fn restart(&mut self) {
        self.does::<String>(&["SAVE"]);
        self.stop();
        self.start_again();
    }

    pub fn start_again(&mut self) {
        self.process = launch(self.folder.path(), self.port, &self.options).expect("it starts again");
    }

    pub fn freeze(&self) {
        kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGSTOP).unwrap();
    }

    pub fn thaw(&self) {
        kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGCONT).unwrap();
    }

    /// Runs `trunkpath nb` on it.
    pub fn nb(&self, args: &[&str]) -> Output {
        nb(&self.url(), args)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn launch(folder: &Path, port: u16, options: &[String]) -> Option<Child> {
    let mut command = Command::new("redis-server");
    command.args(["--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder);
    command.args(["--port", &port.to_string()]).args(options);
    let mut process =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    let started = Instant::now();
    // With TLS only (--port 0), the other port answers.
    let tls =
        options.iter().position(|option| option == "--tls-port").map(|at| options[at + 1].parse().unwrap());
    while process.try_wait().unwrap().is_none() && started.elapsed() < PATIENCE {
        if std::net::TcpStream::connect(("127.0.0.1", tls.unwrap_or(port))).is_ok() {
            // Another server may have answered, while this one failed to bind the port.
            std::thread::sleep(Duration::from_millis(20));
            return process.try_wait().unwrap().is_none().then_some(process);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(process.kill());
    drop(process.wait());
    None
}

pub fn nb(url: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trunkpath"));
    command.args(["nb", "--nb", url]).args(args).stdin(Stdio::null()).output().unwrap()
}
