//! What etcd says, sorted by what helps.

use std::error::Error as StdError;

use etcd_client::Error;

/// The codes of gRPC that say what helps (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>).
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

/// How etcd's own messages begin; others with the same code are of the transport.
const BY_ETCD: &str = "etcdserver:";

/// Why etcd did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum EtcdError {
    /// No server could be reached, or none answered.
    #[error("no server answers ({0}): start one, or correct the hosts and ports in the URL")]
    Away(String),
    /// A server took the connection and closed it.
    #[error(
        "the server hangs up ({0}): when it goes on so, it wants TLS (etcds://...?ca=FILE) or a client certificate (cert=FILE&key=FILE)"
    )]
    HungUp(String),
    /// The servers are not who the CA says, or want to know better who we are.
    #[error(
        "no TLS connection ({0}): check ca=FILE, the CA of the servers, and cert=FILE&key=FILE, which they may want"
    )]
    Tls(String),
    /// A TLS file cannot be used.
    #[error("{file}: {reason}: expected a readable file in PEM format")]
    TlsFile { file: String, reason: String },
    /// User or password.
    #[error("login refused ({0}): correct USER:PASSWORD@ in the URL")]
    Login(String),
    /// The user may not do this.
    #[error(
        "no permission ({0}): grant the user's role read on the tables, and to write also write on them, on unique_key/ and on trunkpath/"
    )]
    Permission(String),
    /// More than one transaction can hold.
    #[error(
        "{0} is more than one etcd transaction takes, nothing was written: apply it in smaller parts, ports before segmentations"
    )]
    TooLarge(String),
    /// The NOSPACE alarm.
    #[error(
        "{0}: etcd takes no writes until its keys are fewer: delete some, then `etcdctl compact`, `defrag` and `alarm disarm`, or raise --quota-backend-bytes"
    )]
    NoSpace(String),
    /// The CORRUPT alarm.
    #[error("{0}: the members' data differ: see `etcdctl alarm list`, and replace the member that is wrong")]
    Corrupt(String),
    /// More requests than the cluster applies.
    #[error("{0}: the cluster is overloaded: try again later, and look at its disks and other clients")]
    Overloaded(String),
    /// A server that answers and cannot do it now.
    #[error("the cluster cannot do it now ({0}): look at `etcdctl endpoint status` if this goes on")]
    NotReady(String),
    /// A server without etcd's API.
    #[error("{0}: the server is no etcd of version 3.4 or later: correct the host and port in the URL")]
    NoEtcd(String),
    /// Others were always faster.
    #[error("other writers came first for {0} s: try again")]
    Busy(u64),
    /// The connection broke after the transaction was sent.
    #[error("whether the transaction was done is not known ({0}): read before you try again")]
    Unknown(String),
    /// A counter that is no number.
    #[error("key {key} holds {value:?}: expected a decimal number, correct it with etcdctl")]
    Counter { key: String, value: String },
    /// The revision that was asked for is gone.
    #[error("the history was compacted meanwhile")]
    Compacted,
    /// Anything else, in etcd's words.
    #[error("{0}")]
    Other(String),
}

/// What helps after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Ask another server.
    OtherServer,
    /// Log in again.
    Login,
    /// Nothing here.
    None,
}

/// A failure and what helps.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: EtcdError,
    pub remedy: Remedy,
}

impl Failure {
    /// A server that did not answer in time.
    pub fn silent(endpoint: &str, seconds: u64) -> Self {
        let error = EtcdError::Away(format!("{endpoint} did not answer within {seconds} s"));
        Self { error, remedy: Remedy::OtherServer }
    }

    /// Sorts what `endpoint` answered, or what became of the connection to it.
    pub fn sort(endpoint: &str, error: &Error) -> Self {
        let status =
            if let Error::GRpcStatus(status) = error { Some(i32::from(status.code())) } else { None };
        Self::of(endpoint, status, describe(error))
    }

    /// The same by the code of gRPC, if there is one, and the text.
    fn of(endpoint: &str, status: Option<i32>, text: String) -> Self {
        let away = |text| EtcdError::Away(format!("{endpoint}: {text}"));
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
            Some(code::DEADLINE_EXCEEDED) => (away(text), Remedy::OtherServer),
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
                (EtcdError::HungUp(format!("{endpoint}: {text}")), Remedy::OtherServer)
            }
            // A transport error, or a code of gRPC with the words of one.
            _ => (away(text), Remedy::OtherServer),
        };
        Self { error, remedy }
    }
}

/// What the code `RESOURCE_EXHAUSTED` stands for; gRPC itself has it for a message that is too long.
fn exhausted(text: String) -> EtcdError {
    if text.contains("space exceeded") {
        EtcdError::NoSpace(text)
    } else if text.contains("larger than max") {
        EtcdError::TooLarge(text)
    } else {
        EtcdError::Overloaded(text)
    }
}

/// Tells apart what etcd sends with the same code (`api/v3rpc/rpctypes/error.go`).
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

/// The error with its causes, each said once.
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

    /// etcd's errors with the code that it sends them with (`api/v3rpc/rpctypes/error.go`).
    #[test]
    fn each_code_has_an_outcome_that_repeats_etcds_words() {
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
