//! Reports in the file: rows with an expiry time.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rusqlite::{Connection, TransactionBehavior, params};

use super::failure::failed;
use super::store::Embedded;
use crate::nb::NbError;
use crate::nb::reports::{HostState, LIFETIME, ReportStore};

/// Created when the first host reports. `expires` is in seconds since 1970.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS report (
    kind    TEXT NOT NULL, -- 'chassis' or 'port_up'
    id      TEXT NOT NULL,
    chassis TEXT NOT NULL,
    expires REAL NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID";

#[derive(Debug)]
pub(in crate::nb) struct Expiring {
    store: Embedded,
    chassis: String,
}

impl Expiring {
    pub fn new(store: Embedded, chassis: &str) -> Self {
        Self { store, chassis: chassis.to_owned() }
    }

    async fn write(
        &self,
        work: impl FnOnce(&Connection, &str) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<(), NbError> {
        let chassis = self.chassis.clone();
        let write = move |connection: &mut Connection, path: &Path| {
            let transaction = || -> rusqlite::Result<()> {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                transaction.execute(TABLE, [])?;
                work(&transaction, &chassis)?;
                transaction.commit()
            };
            transaction().map_err(|error| failed(path, error))
        };
        self.store.with(write).await
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

#[async_trait]
impl ReportStore for Expiring {
    async fn report(&mut self, state: &HostState) -> Result<(), NbError> {
        let state = state.clone();
        self.write(move |connection, chassis| {
            let (now, expires) = (now(), now() + LIFETIME.as_secs_f64());
            connection
                .execute("DELETE FROM report WHERE chassis = ?1 OR expires < ?2", params![chassis, now])?;
            let mut insert = connection.prepare("INSERT OR REPLACE INTO report VALUES (?1, ?2, ?3, ?4)")?;
            for name in state.of_chassis(chassis) {
                insert.execute(params!["chassis", name, chassis, expires])?;
            }
            for lport in state.up() {
                insert.execute(params!["port_up", lport, chassis, expires])?;
            }
            Ok(())
        })
        .await
    }

    async fn withdraw(&mut self) -> Result<(), NbError> {
        self.write(|connection, chassis| {
            connection.execute("DELETE FROM report WHERE chassis = ?1", [chassis]).map(drop)
        })
        .await
    }
}
