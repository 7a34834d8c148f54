//! A host that reports its ports, and ends without withdrawing the reports.

use std::thread::JoinHandle;

use tokio::sync::oneshot;
use trunkpath::nb::{self, Reports};

/// Reports these ports as forwarding, and the others of `a`, `b` and `c` as not.
pub fn up(reports: &Reports, ports: &[&str]) {
    reports.set(["a", "b", "c"].map(|port| (port, ports.contains(&port))));
}

/// The chassis `one`, which reports port `a` as forwarding.
#[derive(Debug)]
pub struct ReportingHost {
    kill: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl ReportingHost {
    /// Starts it; returns when its report was handed over.
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

    /// Ends its runtime without a message to the store.
    pub fn kill(self) {
        self.kill.send(()).unwrap();
        self.thread.join().unwrap();
    }
}
