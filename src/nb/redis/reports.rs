//! Reports in redis: keys that expire unless they are renewed. Keys and values are the same as in etcd.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use redis::aio::MultiplexedConnection;
use redis::cmd;
use serde_json::json;

use super::session::Server;
use super::store::Redis;
use crate::nb::NbError;
use crate::nb::reports::{HostState, LIFETIME, ReportStore};

#[derive(Debug)]
pub(in crate::nb) struct Expiring {
    server: Arc<Server>,
    chassis: String,
    connection: Option<MultiplexedConnection>,
    /// The keys that may exist in the store.
    written: BTreeSet<String>,
}

impl Expiring {
    pub fn new(redis: &Redis, chassis: &str) -> Self {
        let server = Arc::clone(&redis.server);
        Self { server, chassis: chassis.to_owned(), connection: None, written: BTreeSet::new() }
    }

    /// Makes the keys exactly `wanted`, in one atomic script.
    async fn write(
        &mut self,
        connection: &mut MultiplexedConnection,
        wanted: BTreeSet<String>,
    ) -> Result<(), NbError> {
        let made: Vec<_> = wanted.difference(&self.written).cloned().collect();
        let renewed: Vec<_> = wanted.intersection(&self.written).cloned().collect();
        let ended: Vec<_> = self.written.difference(&wanted).cloned().collect();
        let mut eval = cmd("EVAL");
        eval.arg(include_str!("reports.lua")).arg(made.len() + renewed.len() + ended.len());
        eval.arg(&made).arg(&renewed).arg(&ended);
        eval.arg(json!({ "chassis": self.chassis }).to_string()).arg(LIFETIME.as_millis() as u64);
        eval.arg(made.len()).arg(renewed.len());
        // If the answer is lost, any of these may exist.
        self.written.extend(made);
        eval.exec_async(connection).await.map_err(|error| self.server.failed(error))?;
        self.written = wanted;
        Ok(())
    }
}

#[async_trait]
impl ReportStore for Expiring {
    async fn report(&mut self, state: &HostState) -> Result<(), NbError> {
        let ports = state.up().map(|lport| format!("/trunkpath/port_up/{lport}"));
        let of_chassis = state.of_chassis(&self.chassis).map(|name| format!("/trunkpath/chassis/{name}"));
        let wanted = ports.chain(of_chassis).collect();
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.server.connect().await?,
        };
        self.write(&mut connection, wanted).await?;
        self.connection = Some(connection);
        Ok(())
    }

    async fn withdraw(&mut self) -> Result<(), NbError> {
        match self.connection.take() {
            Some(mut connection) => self.write(&mut connection, BTreeSet::new()).await,
            // Without a connection the last report was not accepted, and those before it expire at once.
            None => Ok(()),
        }
    }
}
