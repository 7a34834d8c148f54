//! The servers of a cluster: one is used at a time, the next one after a failure.
//!
//! A client that spreads its requests over three servers would lose every third one to a frozen server for as
//! long as that is frozen. So one server is used until it fails; each host starts with a random one.

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

/// The time limit for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The time limit for an answer. An election, during which a server does not answer, is shorter.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(4);
/// The interval of keep-alives: etcd closes the connection of a client that sends more than one in 5 s.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// The number of attempts with each server before a request fails, and the pause between two rounds.
const ROUNDS: u32 = 2;
const PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Cluster {
    address: Address,
    options: ConnectOptions,
    session: Mutex<Session>,
}

/// The server in use. `turn` is the number of times that another one was chosen.
struct Session {
    turn: usize,
    client: Option<Arc<Client>>,
    last_failure: Option<String>,
}

/// A client, and the value of [`Session::turn`] for its server.
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
    /// Prepares connections; no server is contacted yet.
    pub fn new(address: Address) -> Result<Self, NbError> {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_keep_alive(PING_INTERVAL, REQUEST_TIMEOUT)
            .with_keep_alive_while_idle(false)
            // A server without a leader ends its watches with an error.
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

    /// Adds the name of the cluster to an error.
    pub fn named(&self, error: EtcdError) -> NbError {
        named(&self.address, error)
    }

    pub fn last_failure(&self) -> Option<String> {
        self.session.lock().last_failure.clone()
    }

    fn endpoint(&self, turn: usize) -> &str {
        let endpoints = &self.address.endpoints;
        endpoints.get(turn % endpoints.len()).map_or("", String::as_str)
    }

    /// The connection to the server in use.
    async fn connection(&self) -> Result<Connection, Failure> {
        let turn = {
            let session = self.session.lock();
            if let Some(client) = &session.client {
                return Ok(Connection { client: Arc::clone(client), turn: session.turn });
            }
            session.turn
        };
        // Logs in if there is a user; otherwise the first request connects.
        let endpoint = self.endpoint(turn);
        let connecting = Box::pin(Client::connect([endpoint], Some(self.options.clone())));
        let client = match timeout(REQUEST_TIMEOUT, connecting).await {
            Ok(Ok(client)) => Arc::new(client),
            Ok(Err(error)) => return Err(self.leave_server(turn, Failure::classify(endpoint, &error))),
            Err(_) => {
                return Err(self.leave_server(turn, Failure::timed_out(endpoint, REQUEST_TIMEOUT.as_secs())));
            }
        };
        let mut session = self.session.lock();
        if session.turn == turn {
            session.client = Some(Arc::clone(&client));
        }
        Ok(Connection { client, turn })
    }

    /// Changes to the next server, unless that was done since `turn`.
    fn leave_server(&self, turn: usize, failure: Failure) -> Failure {
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

    /// Classifies an error of a connection, and changes to the next server if that helps.
    pub fn failed(&self, connection: &Connection, error: &Error) -> Failure {
        self.leave_server(connection.turn, Failure::classify(self.endpoint(connection.turn), error))
    }

    /// Changes to the next server because this one has not answered for `patience`.
    pub fn timed_out(&self, connection: &Connection, patience: Duration) -> Failure {
        self.leave_server(
            connection.turn,
            Failure::timed_out(self.endpoint(connection.turn), patience.as_secs()),
        )
    }

    /// Sends a request to one server, once.
    pub async fn request_once<T, F>(
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
            Err(_) => Err(self.timed_out(&connection, REQUEST_TIMEOUT)),
        }
    }

    /// Sends a request that may be repeated to one server after the other, until one answers.
    pub async fn request<T, F>(&self, request: impl Fn(Arc<Client>) -> F) -> Result<(T, Connection), Failure>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let per_round = self.address.endpoints.len();
        let mut attempt = 1;
        loop {
            match self.request_once(&request).await {
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
