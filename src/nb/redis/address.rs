//! From a URL to a server.

use std::fs;
use std::time::Duration;

use redis::{Client, ClientTlsConfig, IntoConnectionInfo, ProtocolVersion, TlsCertificates};
use url::Url;

use crate::nb::NbError;
use crate::nb::error::nearest;
use crate::nb::url::masked;

/// How long a lost event is missed when the URL does not say.
const DEFAULT_REREAD: Duration = Duration::from_secs(30);
/// The options of a URL.
const OPTIONS: [&str; 4] = ["reread", "ca", "cert", "key"];

/// Where the server is and how to talk to it.
#[derive(Debug)]
pub(super) struct Address {
    /// Makes connections.
    pub(super) client: Client,
    /// The URL without its password, for messages.
    pub(super) shown: String,
    /// The number of the database.
    pub(super) database: i64,
    /// How often a watch reads everything again.
    pub(super) reread: Duration,
}

impl Address {
    /// Reads `redis[s]://[user:password@]host[:port][/database][?option=value&...]`.
    pub(super) fn parse(text: &str) -> Result<Self, NbError> {
        let shown = masked(text);
        read(text, &shown).map_err(|reason| NbError::Address { url: shown, reason })
    }
}

fn read(text: &str, shown: &str) -> Result<Address, String> {
    let mut url = Url::parse(text).map_err(|error| {
        format!("{error}: expected redis://HOST:PORT, and in the password %40 for @, %2F for /, %23 for #")
    })?;
    if url.fragment().is_some() {
        return Err("there is a #: expected none, and %23 for it in the password".to_owned());
    }
    let options = Options::read(&url)?;
    url.set_query(None);
    let secure = url.scheme() == "rediss";
    let info = url.into_connection_info().map_err(|error| error.to_string())?;
    // Since Redis 6, and what lets events and answers come on one connection.
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    let database = settings.db();
    let info = info.set_redis_settings(settings);
    if secure {
        // rustls wants one to be chosen. An error says that one was.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    let client = match (secure, options.tls) {
        (true, tls) => Client::build_with_tls(info, tls),
        (false, TlsCertificates { client_tls: None, root_cert: None }) => Client::open(info),
        (false, _) => return Err("ca, cert and key are for TLS: write rediss://".to_owned()),
    };
    let client = client.map_err(|error| error.to_string())?;
    Ok(Address { client, shown: shown.to_owned(), database, reread: options.reread })
}

/// What stands behind the `?`.
struct Options {
    reread: Duration,
    tls: TlsCertificates,
}

impl Options {
    fn read(url: &Url) -> Result<Self, String> {
        let mut reread = DEFAULT_REREAD;
        let (mut ca, mut cert, mut key) = (None, None, None);
        for (name, value) in url.query_pairs() {
            match &*name {
                "reread" => {
                    let seconds = value.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
                    let seconds =
                        seconds.ok_or_else(|| format!("reread is {value:?}: expected 1 to 86400 seconds"))?;
                    reread = Duration::from_secs(seconds);
                }
                "ca" => ca = Some(file(&name, &value)?),
                "cert" => cert = Some(file(&name, &value)?),
                "key" => key = Some(file(&name, &value)?),
                other => {
                    let hint = match nearest(other, OPTIONS.into_iter()) {
                        Some(near) => format!("did you mean {near}?"),
                        None => format!("expected one of {}", OPTIONS.join(", ")),
                    };
                    return Err(format!("unknown option {other:?}: {hint}"));
                }
            }
        }
        let client_tls = match (cert, key) {
            (Some(client_cert), Some(client_key)) => Some(ClientTlsConfig { client_cert, client_key }),
            (None, None) => None,
            _ => return Err("cert and key are given together or not at all".to_owned()),
        };
        Ok(Self { reread, tls: TlsCertificates { client_tls, root_cert: ca } })
    }
}

fn file(option: &str, path: &str) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{option} {path:?}: {error}: expected a PEM file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read() {
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
    fn a_bad_url_is_refused_without_its_password() {
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
