//! Why workers cannot be started, or do not answer.

use std::io;

use crate::tables::WorkerId;

/// A worker that could not be started or has ended.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the variants and the messages describe the fields")]
pub enum WorkerPoolError {
    /// The CPU does not exist, or the process may not use it.
    #[error("cannot pin worker {worker} to CPU {cpu}: {source}; name CPUs that this process may use")]
    Pin { worker: WorkerId, cpu: usize, source: io::Error },
    /// The kernel has no thread, epoll set or eventfd left.
    #[error("cannot start worker {worker}: {source}")]
    Start { worker: WorkerId, source: io::Error },
    /// The worker panicked, which is a bug.
    #[error("worker {worker} has died")]
    Died { worker: WorkerId },
}
