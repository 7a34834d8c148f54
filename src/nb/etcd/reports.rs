//! Reports in etcd: keys of a lease, which etcd deletes when the lease expires.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use etcd_client::{Client, Compare, CompareOp, Error, PutOptions, Txn, TxnOp};
use serde_json::json;

use super::store::Etcd;
use crate::nb::NbError;
use crate::nb::reports::{HostState, LIFETIME, ReportStore};

/// Keys in one transaction; etcd accepts 128.
const AT_ONCE: usize = 64;

#[derive(Debug)]
pub(in crate::nb) struct Leased {
    etcd: Etcd,
    chassis: String,
    lease: Option<Lease>,
}

/// A lease and the keys that are attached to it.
#[derive(Debug)]
struct Lease {
    id: i64,
    keys: BTreeSet<String>,
}

impl Leased {
    pub fn new(etcd: Etcd, chassis: &str) -> Self {
        Self { etcd, chassis: chassis.to_owned(), lease: None }
    }

    async fn request<T, F>(&self, request: impl Fn(Arc<Client>) -> F) -> Result<T, NbError>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let asked = self.etcd.cluster.request(request).await;
        asked.map(|(answer, _)| answer).map_err(|failure| self.etcd.cluster.named(failure.error))
    }

    /// A lease with its full lifetime: the present one, renewed, or a new one without keys.
    async fn lease(&mut self) -> Result<Lease, NbError> {
        if let Some(lease) = self.lease.take() {
            let kept = self.request(|client| keep_alive(client, lease.id)).await?;
            if kept {
                return Ok(lease);
            }
        }
        let ttl = LIFETIME.as_secs().cast_signed();
        let id = self
            .request(|client| async move { Ok(client.lease_client().grant(ttl, None).await?.id()) })
            .await?;
        Ok(Lease { id, keys: BTreeSet::new() })
    }

    async fn commit(&self, ops: Vec<TxnOp>) -> Result<(), NbError> {
        for ops in ops.chunks(AT_ONCE) {
            let txn = Txn::new().and_then(ops);
            self.request(|client| {
                let txn = txn.clone();
                async move { client.kv_client().txn(txn).await }
            })
            .await?;
        }
        Ok(())
    }
}

#[async_trait]
impl ReportStore for Leased {
    async fn report(&mut self, state: &HostState) -> Result<(), NbError> {
        // There is no lease until all is written: after a failure the next attempt writes everything with a
        // new lease.
        let mut lease = self.lease().await?;
        let layout = &self.etcd.layout;
        let of_chassis = state.of_chassis(&self.chassis).map(|name| layout.chassis(&name));
        let wanted: BTreeSet<_> = state.up().map(|lport| layout.port_up(lport)).chain(of_chassis).collect();
        let value = json!({ "chassis": self.chassis }).to_string();
        let held = PutOptions::new().with_lease(lease.id);
        let put = |key: &String| TxnOp::put(key.as_str(), value.as_str(), Some(held.clone()));
        // A port that has moved is reported by its new host, whose key must not be deleted.
        let delete = |key: &String| {
            let ours = Compare::lease(key.as_str(), CompareOp::Equal, lease.id);
            TxnOp::txn(Txn::new().when([ours]).and_then([TxnOp::delete(key.as_str(), None)]))
        };
        let new = wanted.difference(&lease.keys).map(put);
        let ops = new.chain(lease.keys.difference(&wanted).map(delete)).collect();
        self.commit(ops).await?;
        lease.keys = wanted;
        self.lease = Some(lease);
        Ok(())
    }

    async fn withdraw(&mut self) -> Result<(), NbError> {
        // Deletes the keys that are attached to the lease.
        match self.lease.take() {
            Some(lease) => self
                .request(|client| async move { client.lease_client().revoke(lease.id).await })
                .await
                .map(drop),
            None => Ok(()),
        }
    }
}

/// Renews a lease. Returns false if it has expired.
async fn keep_alive(client: Arc<Client>, id: i64) -> Result<bool, Error> {
    match client.lease_client().keep_alive(id).await {
        Ok(_) => Ok(true),
        Err(Error::LeaseKeepAliveError(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
