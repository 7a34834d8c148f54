//! URLs of redis servers.

use std::time::Duration;
use std::{fs, io};

use redis::{Client, ClientTlsConfig, IntoConnectionInfo, ProtocolVersion, RedisError, TlsCertificates};
use url::Url;

use crate::nb::NbError;
use crate::nb::error::nearest;
use crate::nb::masked::masked;

/// The default of option `reread`: the time after which a lost event has no effect any more.
const DEFAULT_REREAD: Duration = Duration::from_secs(30);
const OPTIONS: [&str; 4] = ["reread", "ca", "cert", "key"];

/// A server and the settings of its connections.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) client: Client,
    /// The URL without its password, for messages.
    pub(super) shown: String,
    pub(super) database: i64,
    /// The interval at which a watch reads all records again.
    pub(super) reread: Duration,
}

impl Address {
    /// Parses a URL of the form `redis[s]://[user:password@]host[:port][/database][?option=value&...]`.
    pub(super) fn parse(text: &str) -> Result<Self, NbError> {
        let shown = masked(text);
        parse(text, &shown).map_err(|reason| NbError::Address { url: shown, reason: reason.into() })
    }
}

/// An invalid URL: the part, and the expectation.
#[derive(Debug, thiserror::Error)]
enum UrlError {
    #[error("{0}: expected redis://HOST:PORT, and in the password %40 for @, %2F for /, %23 for #")]
    Syntax(url::ParseError),
    #[error("there is a #: expected none, and %23 for it in the password")]
    Fragment,
    #[error(transparent)]
    Client(#[from] RedisError),
    #[error("unknown option {name:?}: {hint}")]
    UnknownOption { name: String, hint: String },
    #[error("reread is {0:?}: expected 1 to 86400 seconds")]
    Reread(String),
    #[error("ca, cert and key are for TLS: write rediss://")]
    TlsOption,
    #[error("cert and key are given together or not at all")]
    OneOfTwoFiles,
    #[error("{option} {path:?}: {error}: expected a PEM file")]
    File { option: String, path: String, error: io::Error },
}

fn parse(text: &str, shown: &str) -> Result<Address, UrlError> {
    let mut url = Url::parse(text).map_err(UrlError::Syntax)?;
    if url.fragment().is_some() {
        return Err(UrlError::Fragment);
    }
    let options = Options::parse(&url)?;
    url.set_query(None);
    let secure = url.scheme() == "rediss";
    let info = url.into_connection_info()?;
    // Available since Redis 6; it carries events and answers on one connection.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let database = settings.db();
    let info = info.set_redis_settings(settings);
    if secure {
        // rustls requires a default provider. An error means that there is one.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    let client = match (secure, options.tls) {
        (true, tls) => Client::build_with_tls(info, tls)?,
        (false, TlsCertificates { client_tls: None, root_cert: None }) => Client::open(info)?,
        (false, _) => return Err(UrlError::TlsOption),
    };
    Ok(Address { client, shown: shown.to_owned(), database, reread: options.reread })
}

/// The options in the query part of a URL.
struct Options {
    reread: Duration,
    tls: TlsCertificates,
}

impl Options {
    fn parse(url: &Url) -> Result<Self, UrlError> {
        let mut reread = DEFAULT_REREAD;
        let (mut ca, mut cert, mut key) = (None, None, None);
        for (name, value) in url.query_pairs() {
            match &*name {
                "reread" => {
                    let seconds = value.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
                    let seconds = seconds.ok_or_else(|| UrlError::Reread(value.into_owned()))?;
                    reread = Duration::from_secs(seconds);
                }
                "ca" => ca = Some(read_file(&name, &value)?),
                "cert" => cert = Some(read_file(&name, &value)?),
                "key" => key = Some(read_file(&name, &value)?),
                other => {
                    let hint = match nearest(other, OPTIONS.into_iter()) {
                        Some(near) => format!("did you mean {near}?"),
                        None => format!("expected one of {}", OPTIONS.join(", ")),
                    };
                    return Err(UrlError::UnknownOption { name: other.to_owned(), hint });
                }
            }
        }
        let client_tls = match (cert, key) {
            (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig { client_cert, client_key }),
            (None, None) => None,
            _ => return Err(UrlError::OneOfTwoFiles),
        };
        Ok(Self { reread, tls: TlsCertificates { client_tls, root_cert: ca } })
    }
}

fn read_file(option: &str, path: &str) -> Result<Vec<u8>, UrlError> {
    let failed = |error| UrlError::File { option: option.to_owned(), path: path.to_owned(), error };
    fs::read(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_parsed() {
        let address = Address::parse("redis://u:p%40ss@[::1]:7000/3?reread=5").unwrap();
        assert_eq!(address.shown, "redis://u:***@[::1]:7000/3?reread=5");
        assert_eq!((address.database, address.reread), (3, Duration::from_secs(5)));
        let info = address.client.get_connection_info();
        assert_eq!(info.addr().to_string(), "::1:7000");
        let settings = info.redis_settings();
        assert_eq!((settings.username(), settings.password()), (Some("u"), Some("p@ss")));
        let address = Address::parse("rediss://host").unwrap();
        assert_eq!(address.client.get_connection_info().addr().to_string(), "host:6379");
        assert_eq!((address.database, address.reread), (0, DEFAULT_REREAD));
    }

    #[test]
    fn an_invalid_url_is_rejected_without_its_password() {
        let cases = [
            ("redis://u:secret@h:99999", "invalid port number"),
            ("redis://", "Missing hostname"),
            ("redis://u:secret@h/x", "Invalid database number"),
            ("redis://u:secret@h#insecure", "there is a #"),
            ("redis://u:secret#1@h", "invalid port number"),
            ("redis://u:secret@h?reread=0", "reread is \"0\": expected 1 to 86400 seconds"),
            ("redis://u:secret@h?reed=1", "unknown option \"reed\": did you mean reread?"),
            ("redis://u:secret@h?ca=/etc/hostname", "ca, cert and key are for TLS: write rediss://"),
            ("rediss://u:secret@h?ca=/no/such", "ca \"/no/such\": No such file"),
            ("rediss://u:secret@h?cert=/etc/hostname", "cert and key are given together"),
        ];
        for (url, expected) in cases {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{error}");
        }
    }
}
