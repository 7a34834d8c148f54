//! From a URL to a store.

use std::path::Path;
use std::sync::Arc;

use super::embedded::Embedded;
use super::{NbError, NorthboundDb};

/// Where the northbound DB is when nothing else is said.
pub const DEFAULT_URL: &str = "sqlite:/var/lib/trunkpath/nb.db";

/// Opens the store at `url`, and makes an embedded one that does not exist yet.
///
/// # Errors
/// [`NbError::Url`], [`NbError::Foreign`], [`NbError::Store`].
pub async fn open(url: &str) -> Result<Arc<dyn NorthboundDb>, NbError> {
    Ok(Arc::new(Embedded::create(path(url)?).await?))
}

/// Opens the store at `url`, which must exist: for readers, to whom a mistyped path must not look like an empty DB.
///
/// # Errors
/// As [`open`], and [`NbError::Absent`].
pub async fn open_existing(url: &str) -> Result<Arc<dyn NorthboundDb>, NbError> {
    Ok(Arc::new(Embedded::open(path(url)?).await?))
}

fn path(url: &str) -> Result<&Path, NbError> {
    match url.strip_prefix("sqlite:") {
        Some(path) if !path.is_empty() => Ok(Path::new(path)),
        _ => Err(NbError::Url(url.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sqlite_with_a_path_is_a_url() {
        assert_eq!(path("sqlite:/run/nb.db").unwrap(), Path::new("/run/nb.db"));
        for url in ["sqlite:", "/run/nb.db", "etcd://h:2379", ""] {
            let error = path(url).unwrap_err().to_string();
            assert_eq!(error, format!("{url:?} is no northbound DB: expected sqlite:PATH"));
        }
    }
}
