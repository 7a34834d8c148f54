//! etcd servers on loopback, and their data, which is deleted with them.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::LIMIT;
use super::certificates::Certificates;
use testkit::etcd;

/// A cluster of one server or more.
pub struct Servers {
    folder: TempDir,
    members: Vec<Member>,
    certificates: Option<Certificates>,
    /// Further options of etcd.
    options: Vec<String>,
}

struct Member {
    client_port: u16,
    peer_port: u16,
    child: Option<Child>,
}

/// A free port. The kernel gives it to nobody who does not ask for this very number.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

impl Servers {
    /// Starts `count` servers and waits until they serve.
    pub async fn start(count: usize) -> Self {
        let servers = Self::started(count, false);
        servers.serving().await;
        servers
    }

    /// Starts one server with further options, and waits until it serves.
    pub async fn start_with(options: &[&str]) -> Self {
        let options = options.iter().map(ToString::to_string).collect();
        let servers = Self::launched(1, false, options);
        servers.serving().await;
        servers
    }

    /// Starts a server with TLS that requires a client certificate.
    pub fn start_secure() -> Self {
        Self::started(1, true)
    }

    fn started(count: usize, secure: bool) -> Self {
        Self::launched(count, secure, Vec::new())
    }

    fn launched(count: usize, secure: bool, options: Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificates = secure.then(|| Certificates::make(folder.path()));
        let member = |_| Member { client_port: free_port(), peer_port: free_port(), child: None };
        let mut servers = Self { folder, members: (0..count).map(member).collect(), certificates, options };
        (0..count).for_each(|index| servers.run(index));
        servers
    }

    /// Starts a server with the data of its last run.
    pub fn run(&mut self, index: usize) {
        let scheme = if self.certificates.is_some() { "https" } else { "http" };
        let urls = |member: &Member| etcd::Member {
            client: format!("{scheme}://127.0.0.1:{}", member.client_port),
            peer: format!("http://127.0.0.1:{}", member.peer_port),
        };
        let members: Vec<_> = self.members.iter().map(urls).collect();
        let log = std::fs::File::options().create(true).append(true).open(self.log(index)).unwrap();
        // The kernel kills it when the test ends, even by a signal.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        command.args(etcd::command_line(index, &members, self.folder.path()));
        command.args(&self.options);
        if let Some(files) = &self.certificates {
            command.arg("--cert-file").arg(&files.server_cert).arg("--key-file").arg(&files.server_key);
            command.arg("--trusted-ca-file").arg(&files.ca).arg("--client-cert-auth");
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.members[index].child = Some(child.expect("etcd and setpriv: run `scripts/setup test`"));
    }

    fn log(&self, index: usize) -> std::path::PathBuf {
        self.folder.path().join(format!("m{index}.log"))
    }

    /// Waits until a read succeeds.
    async fn serving(&self) {
        let ready = async {
            loop {
                let options =
                    etcd_client::ConnectOptions::new().with_timeout(std::time::Duration::from_secs(1));
                let mut client = etcd_client::Client::connect(self.endpoints(), Some(options)).await.unwrap();
                if client.get("x", None).await.is_ok() {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        let serving = tokio::time::timeout(LIMIT, ready).await;
        assert!(serving.is_ok(), "{}", std::fs::read_to_string(self.log(0)).unwrap_or_default());
    }

    pub fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|member| format!("127.0.0.1:{}", member.client_port)).collect()
    }

    pub fn url(&self) -> String {
        format!("etcd://{}", self.endpoints().join(","))
    }

    pub fn url_with(&self, user: &str, rest: &str) -> String {
        let scheme = if self.certificates.is_some() { "etcds" } else { "etcd" };
        format!("{scheme}://{user}{}{rest}", self.endpoints().join(","))
    }

    pub fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().unwrap()
    }

    fn signal(&self, index: usize, signal: Signal) {
        let child = self.members[index].child.as_ref().unwrap();
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    }

    pub fn freeze(&self, index: usize) {
        self.signal(index, Signal::SIGSTOP);
    }

    pub fn thaw(&self, index: usize) {
        self.signal(index, Signal::SIGCONT);
    }

    pub fn kill(&mut self, index: usize) {
        if let Some(mut child) = self.members[index].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Deletes the data of a server that does not run.
    pub fn wipe(&self, index: usize) {
        std::fs::remove_dir_all(self.folder.path().join(format!("m{index}"))).unwrap();
    }

    /// Index of the leader.
    pub async fn leader(&self) -> usize {
        etcd::leader(&self.endpoints()).await
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        (0..self.members.len()).for_each(|index| self.kill(index));
    }
}
