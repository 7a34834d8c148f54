//! A host that reports, and is killed.

use std::thread::JoinHandle;

use tokio::sync::oneshot;
use trunkpath::nb::{self, Reports};

/// Says that these ports forward.
pub fn up(reports: &Reports, ports: &[&str]) {
    reports.set_up(ports.iter().map(ToString::to_string).collect());
}

/// A host `one` that reports port `a`.
#[derive(Debug)]
pub struct ReportingHost {
    kill: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl ReportingHost {
    /// Lives, and has said what it reports.
    pub async fn start(url: String) -> Self {
        let (started, ready) = oneshot::channel();
        let (kill, killed) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let reports = runtime.block_on(async {
                let reports = nb::reports(&url, "one").await.unwrap();
                up(&reports, &["a"]);
                started.send(()).unwrap();
                killed.await.unwrap();
                reports
            });
            drop(runtime);
            drop(reports);
        });
        ready.await.unwrap();
        Self { kill, thread }
    }

    /// Its runtime ends without a word to the store.
    pub fn kill(self) {
        self.kill.send(()).unwrap();
        self.thread.join().unwrap();
    }
}
