//! Access to stores by their URL.

use std::path::Path;
use std::sync::Arc;

use super::embedded::{self, Embedded};
use super::etcd::{Etcd, Leased};
use super::masked::masked;
use super::redis::{self, Redis};
use super::reports::ReportStore;
use super::{NbError, NorthboundDb, Reports};

/// The northbound DB when no URL is given.
pub const DEFAULT_URL: &str = "sqlite:/var/lib/trunkpath/nb.db";

/// Checks that `url` names a kind of store, without opening it.
///
/// # Errors
/// [`NbError::Url`].
pub fn check_url(url: &str) -> Result<(), NbError> {
    Store::parse(url).map(drop)
}

/// Opens the store at `url`, and creates an embedded one that does not exist. A server is not contacted: it
/// may be unreachable, which the first operation then reports.
///
/// # Errors
/// [`NbError::Url`], [`NbError::Address`], [`NbError::Foreign`], [`NbError::Store`].
pub async fn open(url: &str) -> Result<Arc<dyn NorthboundDb>, NbError> {
    Ok(match Store::parse(url)? {
        Store::Embedded(path) => Arc::new(Embedded::create(path).await?),
        Store::Etcd => Arc::new(Etcd::open(url)?),
        Store::Redis => Arc::new(Redis::at(url)?),
    })
}

/// Opens the store at `url`, which must exist: for readers, where a mistyped path must not result in an empty
/// DB.
///
/// # Errors
/// As [`open`], and [`NbError::Absent`].
pub async fn open_existing(url: &str) -> Result<Arc<dyn NorthboundDb>, NbError> {
    Ok(match Store::parse(url)? {
        Store::Embedded(path) => Arc::new(Embedded::open(path).await?),
        Store::Etcd => Arc::new(Etcd::open(url)?),
        Store::Redis => Arc::new(Redis::at(url)?),
    })
}

/// Starts the reports of `chassis` in the store at `url`, at first without ports.
///
/// # Errors
/// As [`open`].
pub async fn reports(url: &str, chassis: &str) -> Result<Reports, NbError> {
    let store: Box<dyn ReportStore> = match Store::parse(url)? {
        Store::Embedded(path) => Box::new(embedded::Expiring::new(Embedded::create(path).await?, chassis)),
        Store::Etcd => Box::new(Leased::new(Etcd::open(url)?, chassis)),
        Store::Redis => Box::new(redis::Expiring::new(&Redis::at(url)?, chassis)),
    };
    Ok(Reports::start(store))
}

/// Whether the store at `url` is a server, which may be unreachable while this process runs.
#[must_use]
pub fn is_remote(url: &str) -> bool {
    Store::parse(url).is_ok_and(|store| !matches!(store, Store::Embedded(_)))
}

/// The kinds of store, by the URL's scheme.
#[derive(Debug, PartialEq)]
enum Store<'a> {
    Embedded(&'a Path),
    Etcd,
    Redis,
}

impl<'a> Store<'a> {
    fn parse(url: &'a str) -> Result<Self, NbError> {
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Embedded(Path::new(path))),
            Some(("etcd" | "etcds", _)) => Ok(Self::Etcd),
            Some(("redis" | "rediss", rest)) if rest.starts_with("//") => Ok(Self::Redis),
            _ => Err(NbError::Url(masked(url))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_selects_the_kind_of_store() {
        assert_eq!(Store::parse("sqlite:/run/nb.db").unwrap(), Store::Embedded(Path::new("/run/nb.db")));
        for url in ["etcd://h:2379", "etcds://h:2379"] {
            assert_eq!(Store::parse(url).unwrap(), Store::Etcd);
        }
        for url in ["redis://h", "rediss://h"] {
            assert_eq!(Store::parse(url).unwrap(), Store::Redis);
        }
        for url in ["sqlite:", "/run/nb.db", "mysql://h", "redis:h", ""] {
            let error = Store::parse(url).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{url:?} is no northbound DB: expected sqlite:PATH")),
                "{error}"
            );
        }
    }
}
