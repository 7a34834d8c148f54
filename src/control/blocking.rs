//! Calls that may block, on the blocking pool of the runtime.

use std::panic::resume_unwind;

use tokio::task::spawn_blocking;

/// Runs a call that may block in the kernel or on a disk, while the control thread continues with other
/// tasks. A panic of the call continues in the caller.
pub(super) async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(call).await {
        Ok(answer) => answer,
        Err(error) => resume_unwind(error.into_panic()),
    }
}
