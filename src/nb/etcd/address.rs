//! URLs of etcd clusters.
//!
//! `etcd://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]]...[/PREFIX]`, and with TLS
//! `etcds://...[/PREFIX]?ca=FILE[&cert=FILE&key=FILE]`. User, password and files may be percent-encoded.

use std::borrow::Cow;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use crate::nb::NbError;

/// The default port of etcd for clients.
const DEFAULT_PORT: u16 = 2379;

/// The files of a TLS connection, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TlsFiles {
    /// The CA that signed the servers' certificates.
    pub ca: PathBuf,
    /// The client certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A cluster and the settings of its connections.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The URL without the password, for messages.
    pub shown: String,
    pub endpoints: Vec<String>,
    /// The prefix of all keys: empty, or like `/dragonflow`.
    pub prefix: String,
    pub user: Option<(String, String)>,
    /// `None` for plain text.
    pub tls: Option<TlsFiles>,
}

impl Address {
    /// Parses the URL of a cluster.
    ///
    /// # Errors
    /// [`NbError::Url`] if the scheme is another one, [`NbError::Address`].
    pub fn parse(url: &str) -> Result<Self, NbError> {
        let (secure, rest) = match (url.strip_prefix("etcd://"), url.strip_prefix("etcds://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(NbError::Url(url.to_owned())),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let scheme = if secure { "etcds" } else { "etcd" };
        let name = user.map(|user| user.split(':').next().unwrap_or_default());
        let shown = format!("{scheme}://{}{rest}", name.map(|name| format!("{name}@")).unwrap_or_default());
        let invalid = |reason: UrlError| NbError::Address { url: shown.clone(), reason: reason.into() };
        let (hosts, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let http = if secure { "https" } else { "http" };
        Ok(Self {
            endpoints: hosts
                .split(',')
                .map(|host| endpoint(http, host))
                .collect::<Result<_, _>>()
                .map_err(invalid)?,
            prefix: if prefix.is_empty() { String::new() } else { format!("/{prefix}") },
            user: user.map(credentials).transpose().map_err(invalid)?,
            tls: tls(secure, query).map_err(invalid)?,
            shown,
        })
    }
}

/// Does not contain the password.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

/// An invalid URL: the part, and the expectation.
#[derive(Debug, thiserror::Error)]
enum UrlError {
    #[error("a %-escape of it is no UTF-8: write the bytes of UTF-8")]
    Escape,
    #[error("{0:?} is no server: expected HOST or HOST:PORT, IPv6 addresses in brackets")]
    Server(String),
    #[error("before the @ there is no USER:PASSWORD: give both, or neither and no @")]
    Credentials,
    #[error("{0:?} is no option: expected ca=FILE, cert=FILE or key=FILE")]
    UnknownOption(String),
    #[error("{0}= names no file: write {0}=FILE")]
    NoFile(String),
    #[error("ca, cert and key are for TLS: write etcds:// in place of etcd://")]
    TlsOption,
    #[error("etcds:// needs ?ca=FILE, the CA that signed the servers' certificates, in PEM")]
    NoCa,
    #[error("a client certificate is two files: give both cert=FILE and key=FILE")]
    OneOfTwoFiles,
}

fn decode(text: &str) -> Result<String, UrlError> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Cow::into_owned).map_err(|_| UrlError::Escape)
}

fn endpoint(http: &str, host: &str) -> Result<String, UrlError> {
    let invalid = || UrlError::Server(host.to_owned());
    // A colon inside brackets is part of the address.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().map_err(|_| invalid())?),
        _ => (host, DEFAULT_PORT),
    };
    let legal = |char: char| char.is_ascii_alphanumeric() || ".-_".contains(char);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let is_valid = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.chars().all(legal),
    };
    if is_valid { Ok(format!("{http}://{name}:{port}")) } else { Err(invalid()) }
}

fn credentials(user: &str) -> Result<(String, String), UrlError> {
    match user.split_once(':') {
        Some((name, password)) if !name.is_empty() => Ok((decode(name)?, decode(password)?)),
        _ => Err(UrlError::Credentials),
    }
}

fn tls(secure: bool, query: &str) -> Result<Option<TlsFiles>, UrlError> {
    let (mut ca, mut cert, mut key) = (None, None, None);
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let slot = match name {
            "ca" => &mut ca,
            "cert" => &mut cert,
            "key" => &mut key,
            _ => return Err(UrlError::UnknownOption(name.to_owned())),
        };
        if value.is_empty() {
            return Err(UrlError::NoFile(name.to_owned()));
        }
        *slot = Some(PathBuf::from(decode(value)?));
    }
    if !secure {
        return match ca.or(cert).or(key) {
            Some(_) => Err(UrlError::TlsOption),
            None => Ok(None),
        };
    }
    let ca = ca.ok_or(UrlError::NoCa)?;
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        _ => return Err(UrlError::OneOfTwoFiles),
    };
    Ok(Some(TlsFiles { ca, identity }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_parsed() {
        let address = Address::parse("etcd://h1,10.0.0.2:4001,[::1]:5/").unwrap();
        assert_eq!(address.endpoints, ["http://h1:2379", "http://10.0.0.2:4001", "http://[::1]:5"]);
        assert_eq!((address.prefix.as_str(), address.user, address.tls), ("", None, None));

        let url = "etcds://me:p%40ss@h1/cloud/dragonflow/?ca=/etc/ca.pem&cert=/c&key=/k";
        let address = Address::parse(url).unwrap();
        assert_eq!(address.endpoints, ["https://h1:2379"]);
        assert_eq!(address.prefix, "/cloud/dragonflow");
        assert_eq!(address.user, Some(("me".to_owned(), "p@ss".to_owned())));
        let identity = Some((PathBuf::from("/c"), PathBuf::from("/k")));
        assert_eq!(address.tls, Some(TlsFiles { ca: "/etc/ca.pem".into(), identity }));
        assert!(!format!("{address:?}").contains("ss@"));
        assert_eq!(address.shown, "etcds://me@h1/cloud/dragonflow/");
    }

    #[test]
    fn an_invalid_url_is_rejected_with_the_expectation() {
        for (url, reason) in [
            ("etcd://", "\"\" is no server"),
            ("etcd://h:port", "\"h:port\" is no server"),
            ("etcd://h,,g", "\"\" is no server"),
            ("etcd://me@h", "no USER:PASSWORD"),
            ("etcd://h?ca=/f", "write etcds://"),
            ("etcds://h", "needs ?ca=FILE"),
            ("etcds://h?ca=", "ca= names no file"),
            ("etcds://h?ca=/f&cert=/c", "give both"),
            ("etcds://h?cacert=/f", "\"cacert\" is no option"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(reason), "{url}: {error}");
        }
    }
}
