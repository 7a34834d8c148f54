//! An ssh session that is kept open while rules change.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use testkit::wait::{PATIENCE, until};

use super::clients::{is_stopped, works};
use super::place::Place;
use super::servers::Servers;
use super::table::{CURL, SSH};

/// Time in which a line that is not answered is missed.
const MISSED: Duration = Duration::from_millis(700);

/// It survives the removal of another program's rule, stalls without its own, and goes on with it.
pub fn is_kept(place: &Place, servers: &Servers) {
    place.allow(&[SSH.rules, CURL.rules].concat());
    until("ssh", || works(place, servers, &SSH).then_some(()));
    let mut session = Session::open(place, servers);
    session.send("first");
    assert!(session.receives("first", PATIENCE));

    place.allow(SSH.rules);
    until("the rule of curl to be removed", || is_stopped(place, servers, &CURL).then_some(()));
    session.send("unrelated");
    assert!(session.receives("unrelated", PATIENCE), "its own rule is still there");

    place.allow(CURL.rules);
    until("curl", || works(place, servers, &CURL).then_some(()));
    session.send("stalled");
    assert!(!session.receives("stalled", MISSED), "its rule is removed");
    assert!(is_stopped(place, servers, &SSH));

    place.allow(SSH.rules);
    // TCP sends it again.
    assert!(session.receives("stalled", PATIENCE), "its rule is there again");
}

/// `cat` on the server, which returns each line.
struct Session {
    client: Child,
    lines: Receiver<String>,
}

impl Session {
    fn open(place: &Place, servers: &Servers) -> Self {
        let line = servers.complete(SSH.client);
        let (line, _) = line.rsplit_once(" cat ").unwrap();
        let mut command = place.client.command("sh");
        command.args(["-c", &format!("exec {line} cat")]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut client = command.spawn().unwrap();
        let stdout = BufReader::new(client.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { client, lines }
    }

    fn send(&mut self, line: &str) {
        writeln!(self.client.stdin.as_ref().unwrap(), "{line}").unwrap();
    }

    /// Whether `line` is the next one that comes back.
    fn receives(&self, line: &str, within: Duration) -> bool {
        self.lines.recv_timeout(within).is_ok_and(|received| received == line)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A drop must not panic.
        drop(self.client.kill());
        drop(self.client.wait());
    }
}
