//! A thread for calls that may wait for the RTNL lock of the kernel.
//!
//! Attaching a program, binding a socket and most requests about a link take the RTNL lock, which any process
//! with `CAP_NET_ADMIN` can hold for any time. On a thread of their own they delay one another and nothing
//! else.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, unbounded};
use parking_lot::Mutex;

/// A job that takes longer is a problem: usually one takes milliseconds.
const LONG: Duration = Duration::from_secs(2);

/// A thread that runs jobs on a state of type `S`, in the order of their submission.
pub(super) struct RtnlThread<S> {
    jobs: Sender<Job<S>>,
    running: Arc<Mutex<Option<Running>>>,
    thread: JoinHandle<()>,
}

struct Job<S> {
    /// Completes the sentence "the kernel has not finished ...".
    what: String,
    work: Box<dyn FnOnce(&mut S) + Send>,
}

/// A job that is being run.
#[derive(Debug, Clone)]
struct Running {
    what: String,
    since: Instant,
}

impl<S: Send + 'static> RtnlThread<S> {
    /// Starts the thread. It ends after the last job once `self` is dropped.
    pub(super) fn start(mut state: S) -> io::Result<Self> {
        let (jobs, queue) = unbounded::<Job<S>>();
        let running = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&running);
        let thread = thread::Builder::new().name("rtnl".to_owned()).spawn(move || {
            for Job { what, work } in queue {
                *shared.lock() = Some(Running { what, since: Instant::now() });
                work(&mut state);
                *shared.lock() = None;
            }
        })?;
        Ok(Self { jobs, running, thread })
    }

    /// Queues `work`; `what` describes it in problems and in the log.
    pub(super) fn submit(&self, what: impl Into<String>, work: impl FnOnce(&mut S) + Send + 'static) {
        // The receiver is gone only after a panic, which `is_alive` reports.
        drop(self.jobs.send(Job { what: what.into(), work: Box::new(work) }));
    }

    /// Whether the thread still runs jobs; not after a panic.
    pub(super) fn is_alive(&self) -> bool {
        !self.thread.is_finished()
    }

    /// A sentence about the running job, if it takes longer than [`LONG`].
    pub(super) fn delay(&self) -> Option<String> {
        let Running { what, since } = self.running.lock().clone()?;
        let elapsed = since.elapsed();
        (elapsed >= LONG).then(|| format!("the kernel has not finished {what} for {} s", elapsed.as_secs()))
    }
}

impl<S> fmt::Debug for RtnlThread<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtnlThread").field("running", &self.running).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn jobs_run_in_order_on_one_state_and_a_long_one_is_reported() {
        let thread = RtnlThread::start(Vec::new()).unwrap();
        assert_eq!(thread.delay(), None);
        let (results, received) = channel();
        let (release, held) = channel::<()>();
        let (start, started) = channel();
        thread.submit("the first job", move |state| {
            state.push(1);
            start.send(()).unwrap();
            held.recv().unwrap();
        });
        thread.submit("the second job", move |state| {
            state.push(2);
            results.send(state.clone()).unwrap();
        });
        started.recv().unwrap();
        thread.running.lock().as_mut().unwrap().since -= LONG;
        assert_eq!(thread.delay().unwrap(), "the kernel has not finished the first job for 2 s");
        release.send(()).unwrap();
        assert_eq!(received.recv().unwrap(), [1, 2]);
        assert!(thread.is_alive());
    }
}
