//! Errors of etcd, by their remedy.

use std::error::Error as StdError;

use etcd_client::Error;

/// Codes of gRPC (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>).
mod code {
    pub const CANCELED: i32 = 1;
    pub const UNKNOWN: i32 = 2;
    pub const INVALID_ARGUMENT: i32 = 3;
    pub const DEADLINE_EXCEEDED: i32 = 4;
    pub const NOT_FOUND: i32 = 5;
    pub const ALREADY_EXISTS: i32 = 6;
    pub const PERMISSION_DENIED: i32 = 7;
    pub const RESOURCE_EXHAUSTED: i32 = 8;
    pub const FAILED_PRECONDITION: i32 = 9;
    pub const ABORTED: i32 = 10;
    pub const OUT_OF_RANGE: i32 = 11;
    pub const UNIMPLEMENTED: i32 = 12;
    pub const INTERNAL: i32 = 13;
    pub const UNAVAILABLE: i32 = 14;
    pub const DATA_LOSS: i32 = 15;
    pub const UNAUTHENTICATED: i32 = 16;
}

/// The prefix of etcd's own messages; others with the same code are from the transport.
const BY_ETCD: &str = "etcdserver:";

/// A failed request to etcd.
#[derive(Debug, thiserror::Error)]
pub(super) enum EtcdError {
    /// No server could be reached, or none answered.
    #[error("no server answers ({0}): start one, or correct the hosts and ports in the URL")]
    Unreachable(String),
    /// A server accepted the connection and closed it.
    #[error(
        "the server closes the connection ({0}): if that persists, it requires TLS (etcds://...?ca=FILE) or a client certificate (cert=FILE&key=FILE)"
    )]
    Closed(String),
    /// A certificate of the server or of this client was rejected.
    #[error(
        "no TLS connection ({0}): check ca=FILE, the CA of the servers, and cert=FILE&key=FILE, which they may want"
    )]
    Tls(String),
    #[error("{file}: {reason}: expected a readable file in PEM format")]
    TlsFile { file: String, reason: String },
    /// User or password were rejected.
    #[error("login refused ({0}): correct USER:PASSWORD@ in the URL")]
    Login(String),
    /// The user lacks a permission.
    #[error(
        "no permission ({0}): grant the user's role read on the tables, and to write also write on them, on unique_key/ and on trunkpath/"
    )]
    Permission(String),
    /// The transaction exceeds a limit of etcd.
    #[error(
        "{0} is more than one etcd transaction takes, nothing was written: apply it in smaller parts, ports before segmentations"
    )]
    TooLarge(String),
    /// The NOSPACE alarm is active.
    #[error(
        "{0}: etcd takes no writes until its keys are fewer: delete some, then `etcdctl compact`, `defrag` and `alarm disarm`, or raise --quota-backend-bytes"
    )]
    NoSpace(String),
    /// The CORRUPT alarm is active.
    #[error("{0}: the members' data differ: see `etcdctl alarm list`, and replace the member that is wrong")]
    Corrupt(String),
    /// More requests than the cluster applies.
    #[error("{0}: the cluster is overloaded: try again later, and look at its disks and other clients")]
    Overloaded(String),
    /// The server answered, and the cluster has no leader or is not ready.
    #[error("the cluster cannot do it now ({0}): look at `etcdctl endpoint status` if this goes on")]
    NotReady(String),
    /// A server without etcd's API.
    #[error("{0}: the server is no etcd of version 3.4 or later: correct the host and port in the URL")]
    NoEtcd(String),
    /// Another writer was faster in every attempt.
    #[error("other writers came first for {0} s: try again")]
    Busy(u64),
    /// The connection broke after the transaction was sent.
    #[error("whether the transaction was done is not known ({0}): read before you try again")]
    Unknown(String),
    /// The value of a counter is not a number.
    #[error("key {key} holds {value:?}: expected a decimal number, correct it with etcdctl")]
    Counter { key: String, value: String },
    /// The requested revision is not kept any more.
    #[error("the history was compacted meanwhile")]
    Compacted,
    /// Another error, with etcd's message.
    #[error("{0}")]
    Other(String),
}

/// The remedy of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    OtherServer,
    Login,
    /// Another attempt does not help.
    None,
}

#[derive(Debug)]
pub(super) struct Failure {
    pub error: EtcdError,
    pub remedy: Remedy,
}

impl Failure {
    /// The failure of a server that did not answer in time.
    pub fn timed_out(endpoint: &str, seconds: u64) -> Self {
        let error = EtcdError::Unreachable(format!("{endpoint} did not answer within {seconds} s"));
        Self { error, remedy: Remedy::OtherServer }
    }

    /// Classifies the answer of `endpoint`, or the error of the connection.
    pub fn classify(endpoint: &str, error: &Error) -> Self {
        let status =
            if let Error::GRpcStatus(status) = error { Some(i32::from(status.code())) } else { None };
        Self::of(endpoint, status, describe(error))
    }

    /// Classifies an error by its gRPC code, if there is one, and its text.
    fn of(endpoint: &str, status: Option<i32>, text: String) -> Self {
        let unreachable = |text| EtcdError::Unreachable(format!("{endpoint}: {text}"));
        let (error, remedy) = match status {
            Some(code::PERMISSION_DENIED) => (EtcdError::Permission(text), Remedy::None),
            Some(code::UNAUTHENTICATED) => (EtcdError::Login(text), Remedy::Login),
            Some(code::OUT_OF_RANGE) if text.contains("compacted") => (EtcdError::Compacted, Remedy::None),
            Some(code::RESOURCE_EXHAUSTED) => (exhausted(text), Remedy::None),
            Some(code::DATA_LOSS) => (EtcdError::Corrupt(text), Remedy::None),
            Some(code::UNIMPLEMENTED) => (EtcdError::NoEtcd(text), Remedy::None),
            Some(code::NOT_FOUND | code::ALREADY_EXISTS | code::ABORTED) => {
                (EtcdError::Other(text), Remedy::None)
            }
            Some(code::UNAVAILABLE | code::UNKNOWN | code::INTERNAL | code::CANCELED)
                if text.starts_with(BY_ETCD) =>
            {
                (EtcdError::NotReady(text), Remedy::OtherServer)
            }
            Some(code::DEADLINE_EXCEEDED) => (unreachable(text), Remedy::OtherServer),
            Some(code::INVALID_ARGUMENT | code::FAILED_PRECONDITION | code::OUT_OF_RANGE) => {
                precondition(text)
            }
            _ if text.to_lowercase().contains("certificate") => {
                (EtcdError::Tls(format!("{endpoint}: {text}")), Remedy::OtherServer)
            }
            _ if ["closed", "reset by peer", "broken pipe", "h2 protocol"]
                .iter()
                .any(|how| text.contains(how)) =>
            {
                (EtcdError::Closed(format!("{endpoint}: {text}")), Remedy::OtherServer)
            }
            // An error of the transport, or a gRPC code with the message of one.
            _ => (unreachable(text), Remedy::OtherServer),
        };
        Self { error, remedy }
    }
}

/// The meaning of code `RESOURCE_EXHAUSTED`; gRPC itself uses it for a message that is too long.
fn exhausted(text: String) -> EtcdError {
    if text.contains("space exceeded") {
        EtcdError::NoSpace(text)
    } else if text.contains("larger than max") {
        EtcdError::TooLarge(text)
    } else {
        EtcdError::Overloaded(text)
    }
}

/// Distinguishes errors that etcd sends with the same code (`api/v3rpc/rpctypes/error.go`).
fn precondition(text: String) -> (EtcdError, Remedy) {
    let has = |words: &str| text.contains(words);
    if has("revision of auth store is old") {
        (EtcdError::Login(text), Remedy::Login)
    } else if has("authentication failed")
        || has("user name is empty")
        || has("authentication is not enabled")
    {
        (EtcdError::Login(text), Remedy::None)
    } else if has("not leader") || has("not capable") {
        (EtcdError::NotReady(text), Remedy::OtherServer)
    } else if has("too large") || has("too many operations") {
        (EtcdError::TooLarge(text), Remedy::None)
    } else {
        (EtcdError::Other(text), Remedy::None)
    }
}

/// The error with its causes, without repetitions.
fn describe(error: &Error) -> String {
    let (mut text, source) = if let Error::GRpcStatus(status) = error {
        (status.message().to_owned(), status.source())
    } else if let Error::TransportError(error) = error {
        (error.to_string(), error.source())
    } else {
        (error.to_string(), None)
    };
    let mut next = source;
    while let Some(cause) = next {
        let said = cause.to_string();
        if said != "transport error" && !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors with the code by which etcd sends them (`api/v3rpc/rpctypes/error.go`).
    #[test]
    fn each_code_has_an_error_with_etcds_message() {
        for (code, words, advice, remedy) in [
            (
                code::RESOURCE_EXHAUSTED,
                "etcdserver: mvcc: database space exceeded",
                "alarm disarm",
                Remedy::None,
            ),
            (code::RESOURCE_EXHAUSTED, "etcdserver: too many requests", "overloaded", Remedy::None),
            (
                code::RESOURCE_EXHAUSTED,
                "trying to send message larger than max",
                "smaller parts",
                Remedy::None,
            ),
            (code::DATA_LOSS, "etcdserver: corrupt cluster", "alarm list", Remedy::None),
            (code::INVALID_ARGUMENT, "etcdserver: request is too large", "smaller parts", Remedy::None),
            (code::PERMISSION_DENIED, "etcdserver: permission denied", "grant the user's role", Remedy::None),
            (code::UNAUTHENTICATED, "etcdserver: invalid auth token", "USER:PASSWORD", Remedy::Login),
            (code::NOT_FOUND, "etcdserver: requested lease not found", "", Remedy::None),
            (code::UNIMPLEMENTED, "unknown service etcdserverpb.KV", "no etcd", Remedy::None),
            (code::UNAVAILABLE, "etcdserver: leader changed", "cannot do it now", Remedy::OtherServer),
            (code::UNAVAILABLE, "etcdserver: no leader", "cannot do it now", Remedy::OtherServer),
            (code::FAILED_PRECONDITION, "etcdserver: not leader", "cannot do it now", Remedy::OtherServer),
            (code::UNKNOWN, "etcdserver: some other error", "cannot do it now", Remedy::OtherServer),
            (code::INTERNAL, "etcdserver: some other error", "cannot do it now", Remedy::OtherServer),
            (code::DEADLINE_EXCEEDED, "context deadline exceeded", "no server answers", Remedy::OtherServer),
            (code::UNAVAILABLE, "connection refused", "no server answers", Remedy::OtherServer),
        ] {
            let failure = Failure::of("h:2379", Some(code), words.to_owned());
            let said = failure.error.to_string();
            assert!(said.contains(words) && said.contains(advice), "{code} {words}: {said}");
            assert_eq!(failure.remedy, remedy, "{code} {words}");
        }
    }
}
