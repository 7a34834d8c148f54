//! Connections to the server, and errors with their remedies.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ErrorKind, PushInfo, RedisError, ServerErrorKind};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep_until};

use super::address::Address;
use crate::nb::NbError;

/// The time limit for a connection, and for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bounds of the wait after failures in a row.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A server and its recent failures.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: Address,
    failures: Mutex<Failures>,
}

/// Failures to connect since the last success.
#[derive(Debug, Default)]
struct Failures {
    count: u32,
    /// The earliest time of the next attempt.
    next: Option<Instant>,
}

impl Failures {
    /// Doubles the wait with a random part, because all hosts lose a server at the same time.
    fn add(&mut self) {
        let longest = FIRST_WAIT.saturating_mul(1 << self.count.min(10)).min(LONGEST_WAIT);
        let percent = 50 + (RandomState::new().hash_one(()) % 51) as u32;
        self.next = Some(Instant::now() + longest * percent / 100);
        self.count += 1;
    }
}

impl Server {
    pub(super) fn new(address: Address) -> Self {
        Self { address, failures: Mutex::default() }
    }

    /// Opens a connection. After failures in a row it waits before the attempt.
    pub(super) async fn connect(&self) -> Result<MultiplexedConnection, NbError> {
        self.connect_with(AsyncConnectionConfig::new()).await
    }

    /// Opens a connection whose events are sent to `events`.
    pub(super) async fn connect_for(
        &self,
        events: UnboundedSender<PushInfo>,
    ) -> Result<MultiplexedConnection, NbError> {
        self.connect_with(AsyncConnectionConfig::new().set_push_sender(events)).await
    }

    async fn connect_with(&self, config: AsyncConnectionConfig) -> Result<MultiplexedConnection, NbError> {
        let next = self.failures.lock().next;
        if let Some(next) = next {
            sleep_until(next).await;
        }
        let config = config.set_connection_timeout(Some(PATIENCE)).set_response_timeout(Some(PATIENCE));
        let connected = self.address.client.get_multiplexed_async_connection_with_config(&config).await;
        let connected = match connected {
            Ok(connection) => self.check(connection).await,
            Err(error) => Err(self.failed(error)),
        };
        let mut failures = self.failures.lock();
        match &connected {
            Ok(_) => *failures = Failures::default(),
            Err(_) => failures.add(),
        }
        connected
    }

    /// Rejects nodes of a cluster and sentinels.
    async fn check(&self, mut connection: MultiplexedConnection) -> Result<MultiplexedConnection, NbError> {
        let hello: redis::Value =
            redis::cmd("HELLO").query_async(&mut connection).await.map_err(|e| self.failed(e))?;
        let mode = hello.as_map_iter().and_then(|mut fields| {
            fields.find_map(|(name, value)| {
                let name: String = redis::from_redis_value_ref(name).ok()?;
                let value: Option<String> = redis::from_redis_value_ref(value).ok();
                value.filter(|_| name == "mode")
            })
        });
        let reason = match mode.as_deref() {
            Some("cluster") => {
                "this is a node of a redis cluster, which is not supported: give a server of its own"
            }
            Some("sentinel") => "this is a redis sentinel: give the address of the server that it watches",
            _ => return Ok(connection),
        };
        Err(self.error(reason))
    }

    /// The error for a failed command or connection.
    pub(super) fn failed(&self, error: RedisError) -> NbError {
        match advice(&error, self.address.shown.starts_with("rediss:")) {
            Some(advice) => self.error(format!("{error}: {advice}")),
            None => self.error(error),
        }
    }

    /// The error for a write whose outcome is unknown if the answer was lost.
    pub(super) fn outcome_unknown(&self, error: RedisError) -> NbError {
        match error.code() {
            Some(_) => self.failed(error),
            None => self.error(format!(
                "whether the transaction was done is not known ({error}): read before you try again"
            )),
        }
    }

    /// An error with the name of this store.
    pub(super) fn error(&self, source: impl Into<Box<dyn Error + Send + Sync>>) -> NbError {
        NbError::Store { store: self.address.shown.clone(), source: source.into() }
    }
}

/// Remedies for errors of redis, by the first word of the error.
const SERVER_ERRORS: [(&str, &str); 10] = [
    ("OOM", "the server's maxmemory is used up and it evicts nothing: raise maxmemory, or delete keys"),
    ("READONLY", "this server is a replica: give the address of its master"),
    ("LOADING", "the server is reading its data from disk: try again when it has"),
    ("MISCONF", "the server cannot save to its disk and takes no writes: look at its log and free space"),
    ("CLUSTERDOWN", "a redis cluster is not supported: give a server of its own"),
    ("MASTERDOWN", "the replica has lost its master: give the address of the master"),
    (
        "NOREPLICAS",
        "the server takes writes only with enough replicas: start them, or lower min-replicas-to-write",
    ),
    ("BUSY", "a script of another client holds the server: end it with SCRIPT KILL"),
    ("TRYAGAIN", "the server is moving keys: try again"),
    ("EXECABORT", "the server refused a part of the transaction: look at its log"),
];

/// The remedy for an error.
fn advice(error: &RedisError, secure: bool) -> Option<&'static str> {
    let text = error.to_string();
    if let Some((_, advice)) = SERVER_ERRORS.iter().find(|(code, _)| error.code() == Some(code)) {
        return Some(advice);
    }
    if matches!(error.code(), Some("WRONGPASS" | "NOAUTH")) || error.kind() == ErrorKind::AuthenticationFailed
    {
        return Some("check the user and the password in the URL, redis://USER:PASSWORD@HOST");
    }
    if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) {
        return Some("let the user do this, see docs/northbound.md");
    }
    if error.kind() == ErrorKind::RESP3NotSupported || text.contains("unknown command 'HELLO'") {
        return Some("expected Redis 6 or later");
    }
    if error.is_connection_refusal() {
        return Some("is redis-server running there, and is this its port?");
    }
    // A redis server without TLS waits for more data after the start of a TLS handshake.
    if error.is_timeout() && secure {
        return Some("is it a redis server, not stopped, and does this port speak TLS? If not, use redis://");
    }
    if error.is_timeout() {
        return Some("is it a redis server, and is it not stopped or overloaded?");
    }
    if text.contains("UnknownIssuer") || text.contains("BadSignature") {
        return Some("give the CA that signed the server's certificate, ?ca=FILE");
    }
    if ["CertificateRequired", "UnknownCA", "BadCertificate"].iter().any(|alert| text.contains(alert)) {
        return Some("the server requires a client certificate of a CA that it trusts, ?cert=FILE&key=FILE");
    }
    if text.contains("not valid for name") {
        return Some("use the host name that the server's certificate was made for");
    }
    if error.is_connection_dropped() && !secure {
        return Some("the server closed the connection; if this port speaks TLS, use rediss://");
    }
    error.is_connection_dropped().then_some(
        "the server closed the connection; it may require a client certificate, ?cert=FILE&key=FILE",
    )
}
