//! What an etcd URL says.
//!
//! `etcd://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]]...[/PREFIX]`, and with TLS
//! `etcds://...[/PREFIX]?ca=FILE[&cert=FILE&key=FILE]`. User, password and files may be percent-encoded.

use std::borrow::Cow;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use crate::nb::NbError;

/// Where etcd listens for clients by default.
const DEFAULT_PORT: u16 = 2379;

/// The files of a TLS connection, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TlsFiles {
    /// Who signed the servers' certificates.
    pub ca: PathBuf,
    /// Our own certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A cluster, and how to enter it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The URL without the password, for messages.
    pub shown: String,
    /// One URL for each server.
    pub endpoints: Vec<String>,
    /// What all keys begin with: empty, or as `/dragonflow`.
    pub prefix: String,
    /// User and password.
    pub user: Option<(String, String)>,
    /// Without it, plain text.
    pub tls: Option<TlsFiles>,
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`NbError::Url`] when the scheme is another one, [`NbError::Address`].
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
        let bad = |reason: String| NbError::Address { url: shown.clone(), reason };
        let (hosts, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let http = if secure { "https" } else { "http" };
        Ok(Self {
            endpoints: hosts
                .split(',')
                .map(|host| endpoint(http, host))
                .collect::<Result<_, _>>()
                .map_err(bad)?,
            prefix: if prefix.is_empty() { String::new() } else { format!("/{prefix}") },
            user: user.map(credentials).transpose().map_err(bad)?,
            tls: tls(secure, query).map_err(bad)?,
            shown,
        })
    }
}

/// Never shows the password.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(Cow::into_owned)
        .map_err(|_| "a %-escape of it is no UTF-8: write the bytes of UTF-8".to_owned())
}

fn endpoint(http: &str, host: &str) -> Result<String, String> {
    let bad = || format!("{host:?} is no server: expected HOST or HOST:PORT, IPv6 addresses in brackets");
    // A colon inside of brackets is part of the address.
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().map_err(|_| bad())?),
        _ => (host, DEFAULT_PORT),
    };
    let legal = |char: char| char.is_ascii_alphanumeric() || ".-_".contains(char);
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let good = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.chars().all(legal),
    };
    if good { Ok(format!("{http}://{name}:{port}")) } else { Err(bad()) }
}

fn credentials(user: &str) -> Result<(String, String), String> {
    match user.split_once(':') {
        Some((name, password)) if !name.is_empty() => Ok((decode(name)?, decode(password)?)),
        _ => Err("before the @ there is no USER:PASSWORD: give both, or neither and no @".to_owned()),
    }
}

fn tls(secure: bool, query: &str) -> Result<Option<TlsFiles>, String> {
    let (mut ca, mut cert, mut key) = (None, None, None);
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let slot = match name {
            "ca" => &mut ca,
            "cert" => &mut cert,
            "key" => &mut key,
            _ => return Err(format!("{name:?} is no option: expected ca=FILE, cert=FILE or key=FILE")),
        };
        if value.is_empty() {
            return Err(format!("{name}= names no file: write {name}=FILE"));
        }
        *slot = Some(PathBuf::from(decode(value)?));
    }
    if !secure {
        return match ca.or(cert).or(key) {
            Some(_) => Err("ca, cert and key are for TLS: write etcds:// in place of etcd://".to_owned()),
            None => Ok(None),
        };
    }
    let ca = ca.ok_or("etcds:// needs ?ca=FILE, the CA that signed the servers' certificates, in PEM")?;
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        _ => return Err("a client certificate is two files: give both cert=FILE and key=FILE".to_owned()),
    };
    Ok(Some(TlsFiles { ca, identity }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_who_and_how() {
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
    fn a_bad_url_is_refused_with_the_way_out() {
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
