//! Requests to the daemon, for the commands that need a running one.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{Answer, Client, Query};
use crate::config::DEFAULT_API;

/// The daemon reads the links every second: an answer of this age or more waits for the kernel.
const OLD_SECS: u64 = 4;

/// Options of every command that needs a daemon.
#[derive(Debug, clap::Args)]
pub(super) struct DaemonArgs {
    /// Unix socket of the running switch
    #[arg(long, value_name = "SOCKET", default_value = DEFAULT_API)]
    api: PathBuf,
    /// Print the daemon's answer as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Upper bound of the time for an answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
}

impl DaemonArgs {
    pub(super) async fn connect(&self) -> anyhow::Result<Client> {
        Ok(Client::connect(&self.api, Duration::from_secs(self.timeout)).await?)
    }
}

/// Runs `command` on a single-threaded runtime.
pub(super) fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the async runtime")?.block_on(command)
}

/// Sends a request and decodes its answer.
pub(super) async fn request<T: DeserializeOwned>(client: &mut Client, query: &Query) -> anyhow::Result<T> {
    decode(request_json(client, query).await?)
}

/// Sends a request. The age of an old answer goes to stderr.
pub(super) async fn request_json(client: &mut Client, query: &Query) -> anyhow::Result<Value> {
    let Answer { value, age_secs } = client.request(query).await?;
    if age_secs >= OLD_SECS {
        let note = format!(
            "trunkpath: the state of the links is {age_secs} s old: the daemon waits for the kernel, see `trunkpath show problems`"
        );
        writeln!(io::stderr(), "{note}").unwrap_or_default();
    }
    Ok(value)
}

pub(super) fn decode<T: DeserializeOwned>(answer: Value) -> anyhow::Result<T> {
    serde_json::from_value(answer).context(
        "the daemon's answer is not in the form that this version of trunkpath expects: the daemon may be another version",
    )
}
