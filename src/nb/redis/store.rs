//! What all operations on a redis server share.

use std::sync::Arc;

use super::address::Address;
use super::session::Server;
use super::watch::Delivered;
use super::{picture, read};
use crate::nb::freshness::Freshness;
use crate::nb::{NbError, Record};

#[derive(Debug, Clone)]
pub(in crate::nb) struct Redis {
    pub(super) server: Arc<Server>,
    pub(super) delivered: Delivered,
    pub(super) freshness: Freshness,
}

impl Redis {
    /// The store at `url`. The server is not contacted yet.
    pub fn at(url: &str) -> Result<Self, NbError> {
        let server = Arc::new(Server::new(Address::parse(url)?));
        Ok(Self { server, delivered: Delivered::default(), freshness: Freshness::default() })
    }

    /// The records whose keys match `pattern`, in ascending order.
    pub(super) async fn records(&self, pattern: &str) -> Result<Vec<Record>, NbError> {
        let failed = |error| self.server.failed(error);
        let mut connection = self.server.connect().await?;
        let keys = read::keys(&mut connection, pattern).await.map_err(failed)?;
        let mut records = Vec::new();
        let take = |id, found: Vec<_>| {
            records.extend(picture::current(&found).map(|found| picture::record(&id, found)));
        };
        read::contents(&mut connection, keys, take).await.map_err(failed)?;
        Ok(records)
    }
}
