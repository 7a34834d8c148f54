//! What all operations on an etcd cluster share.

use std::sync::Arc;

use super::address::Address;
use super::cluster::Cluster;
use super::history::History;
use super::layout::Layout;
use crate::nb::NbError;
use crate::nb::freshness::Freshness;

#[derive(Debug, Clone)]
pub(in crate::nb) struct Etcd {
    pub(super) cluster: Arc<Cluster>,
    pub(super) layout: Layout,
    pub(super) freshness: Freshness,
    pub(super) history: History,
}

impl Etcd {
    /// Parses the URL and reads its files; the first operation connects.
    pub fn open(url: &str) -> Result<Self, NbError> {
        let address = Address::parse(url)?;
        let layout = Layout::new(address.prefix.clone());
        let cluster = Arc::new(Cluster::new(address)?);
        Ok(Self { cluster, layout, freshness: Freshness::default(), history: History::default() })
    }
}
