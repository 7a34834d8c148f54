//! The servers: one at a time, the next one when it fails.
//!
//! A client that spreads its requests over all servers would lose each third one to a frozen server for as long as that
//! is frozen. So one server is asked until it fails; each host starts with another one.

use std::fmt;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Error, Identity, TlsOptions};
use parking_lot::Mutex;
use tokio::time::{sleep, timeout};

use super::address::{Address, TlsFiles};
use super::error::{EtcdError, Failure, Remedy};
use crate::nb::NbError;

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a server may take to answer; an election, during which it waits, is over by then.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);
/// How often an idle connection is tried: etcd hangs up on a client that does so more often than every 5 s.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// How often each server is asked before a request fails, and how long to wait between two rounds.
const ROUNDS: u32 = 2;
const PAUSE: Duration = Duration::from_millis(200);

/// The servers of a cluster.
pub(super) struct Cluster {
    address: Address,
    options: ConnectOptions,
    session: Mutex<Session>,
}

/// The server in use. `turn` counts how often another one was chosen.
struct Session {
    turn: usize,
    client: Option<Arc<Client>>,
    last_failure: Option<String>,
}

/// A client, and when it was chosen.
#[derive(Clone)]
pub(super) struct Connection {
    pub client: Arc<Client>,
    turn: usize,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.address).finish()
    }
}

impl Cluster {
    /// Gets ready to connect; does not yet.
    pub fn new(address: Address) -> Result<Self, NbError> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_keep_alive(PING_INTERVAL, REQUEST_TIMEOUT)
            .with_keep_alive_while_idle(false)
            // A server that is cut off from the others ends its watches, and says so.
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some((user, password)) = &address.user {
            options = options.with_user(user, password);
        }
        if let Some(files) = &address.tls {
            options = options.with_tls(tls(files).map_err(|error| named(&address, error))?);
        }
        let turn = RandomState::new().hash_one(std::process::id()) as usize % address.endpoints.len();
        let session = Mutex::new(Session { turn, client: None, last_failure: None });
        Ok(Self { address, options, session })
    }

    /// The error with the cluster's name.
    pub fn named(&self, error: EtcdError) -> NbError {
        named(&self.address, error)
    }

    /// The last failure of a server.
    pub fn last_failure(&self) -> Option<String> {
        self.session.lock().last_failure.clone()
    }

    fn endpoint(&self, turn: usize) -> &str {
        let endpoints = &self.address.endpoints;
        endpoints.get(turn % endpoints.len()).map_or("", String::as_str)
    }

    /// The server in use, connected to.
    async fn connection(&self) -> Result<Connection, Failure> {
        let turn = {
            let session = self.session.lock();
            if let Some(client) = &session.client {
                return Ok(Connection { client: Arc::clone(client), turn: session.turn });
            }
            session.turn
        };
        // Logs in when there is a user; connects at the first request otherwise.
        let endpoint = self.endpoint(turn);
        let connecting = Box::pin(Client::connect([endpoint], Some(self.options.clone())));
        let client = match timeout(REQUEST_TIMEOUT, connecting).await {
            Ok(Ok(client)) => Arc::new(client),
            Ok(Err(error)) => return Err(self.blame(turn, Failure::sort(endpoint, &error))),
            Err(_) => return Err(self.blame(turn, Failure::silent(endpoint, REQUEST_TIMEOUT.as_secs()))),
        };
        let mut session = self.session.lock();
        if session.turn == turn {
            session.client = Some(Arc::clone(&client));
        }
        Ok(Connection { client, turn })
    }

    /// Leaves the server of that turn, unless that was done.
    fn blame(&self, turn: usize, failure: Failure) -> Failure {
        let mut session = self.session.lock();
        session.last_failure = Some(failure.error.to_string());
        if session.turn == turn && failure.remedy != Remedy::None {
            session.client = None;
            if failure.remedy == Remedy::OtherServer {
                session.turn += 1;
            }
        }
        failure
    }

    /// Sorts what went wrong on a connection, and leaves its server if that helps.
    pub fn failed(&self, connection: &Connection, error: &Error) -> Failure {
        self.blame(connection.turn, Failure::sort(self.endpoint(connection.turn), error))
    }

    /// Leaves the server of a connection, which has not answered for so long.
    pub fn silent(&self, connection: &Connection, patience: Duration) -> Failure {
        self.blame(connection.turn, Failure::silent(self.endpoint(connection.turn), patience.as_secs()))
    }

    /// Asks one server, once.
    pub async fn ask_once<T, F>(
        &self,
        request: impl FnOnce(Arc<Client>) -> F,
    ) -> Result<(T, Connection), Failure>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let connection = self.connection().await?;
        match timeout(REQUEST_TIMEOUT, Box::pin(request(Arc::clone(&connection.client)))).await {
            Ok(Ok(answer)) => Ok((answer, connection)),
            Ok(Err(error)) => Err(self.failed(&connection, &error)),
            Err(_) => Err(self.silent(&connection, REQUEST_TIMEOUT)),
        }
    }

    /// Asks one server after the other what may be asked twice, until one answers.
    pub async fn ask<T, F>(&self, request: impl Fn(Arc<Client>) -> F) -> Result<(T, Connection), Failure>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let per_round = self.address.endpoints.len();
        let mut attempt = 1;
        loop {
            match self.ask_once(&request).await {
                Err(failure) if failure.remedy != Remedy::None && attempt < per_round * ROUNDS as usize => {
                    if attempt % per_round == 0 {
                        sleep(PAUSE).await;
                    }
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }
}

fn named(address: &Address, error: EtcdError) -> NbError {
    NbError::Store { store: address.shown.clone(), source: error.into() }
}

fn tls(files: &TlsFiles) -> Result<TlsOptions, EtcdError> {
    let ca = Certificate::from_pem(pem(&files.ca)?);
    let options = TlsOptions::new().ca_certificate(ca);
    Ok(match &files.identity {
        Some((cert, key)) => options.identity(Identity::from_pem(pem(cert)?, pem(key)?)),
        None => options,
    })
}

fn pem(path: &Path) -> Result<Vec<u8>, EtcdError> {
    let bad = |reason: String| EtcdError::TlsFile { file: path.display().to_string(), reason };
    let text = fs::read(path).map_err(|error| bad(error.to_string()))?;
    if text.starts_with(b"-----BEGIN") || text.windows(11).any(|window| window == b"\n-----BEGIN") {
        Ok(text)
    } else {
        Err(bad("has no line -----BEGIN".to_owned()))
    }
}
