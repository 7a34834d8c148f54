//! `trunkpath nb`: reads and writes the northbound DB, with the daemon running or not.

mod apply;
mod messages;
mod table;

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::output::printable_json;
use crate::nb::{
    Committed, DEFAULT_URL, NbError, NorthboundDb, Op, Record, RecordError, Table, masked, open,
    open_existing, segmentation_id,
};
use crate::types::{shorten, shorten_message};

/// Options of `trunkpath nb`.
#[derive(Debug, clap::Args)]
pub struct NbArgs {
    /// The northbound DB: sqlite:PATH, etcd://HOST:PORT,HOST:PORT,... or redis://HOST:PORT; etcds:// and
    /// rediss:// for TLS
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL, global = true)]
    nb: String,
    /// How long the command may take, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..), global = true)]
    timeout: u64,
    #[command(subcommand)]
    command: NbCommand,
}

impl NbArgs {
    /// Whether `--json` is given.
    pub(super) const fn wants_json(&self) -> bool {
        matches!(self.command, NbCommand::List { json: true, .. })
    }
}

#[derive(Debug, clap::Subcommand)]
enum NbCommand {
    /// Make the DB, unless it exists
    Init,
    /// Write records from a file of JSON lines {"table": ..., "record": {...}}, all or nothing
    Apply {
        /// The file; - for standard input
        file: String,
    },
    /// Show the records of a table
    List {
        /// The table, as lport
        table: Table,
        /// As a JSON list
        #[arg(long)]
        json: bool,
    },
    /// Show a record as JSON
    Get {
        /// The table, as lport
        table: Table,
        /// The id of the record
        id: String,
    },
    /// Make or replace a record
    Put {
        /// The table, as lport
        table: Table,
        /// The record, as a JSON object
        json: String,
    },
    /// Delete a record by its id
    Delete {
        /// The table, as lport
        table: Table,
        /// The id of the record
        id: String,
    },
    /// Write all records to standard output, in the form that apply reads
    Dump,
    /// Make a port a subport: frames of the parent with this VLAN tag are the port's
    AddSubport {
        /// The parent lport's id
        parent: String,
        /// The id of the lport
        port: String,
        /// The VLAN id, 1 to 4094
        vid: u64,
    },
    /// Make a subport an ordinary port again
    DelSubport {
        /// The parent lport's id
        parent: String,
        /// The id of the lport
        port: String,
    },
}

impl NbCommand {
    const fn writes(&self) -> bool {
        match self {
            Self::Init | Self::List { .. } | Self::Get { .. } | Self::Dump => false,
            Self::Apply { .. }
            | Self::Put { .. }
            | Self::Delete { .. }
            | Self::AddSubport { .. }
            | Self::DelSubport { .. } => true,
        }
    }
}

/// Executes the command of `trunkpath nb`.
///
/// # Errors
/// A message for the user.
pub fn run(args: NbArgs) -> anyhow::Result<()> {
    // Read before the time limit starts: a writer to the pipe may take longer than the DB should.
    let lines = if let NbCommand::Apply { file } = &args.command { apply::read(file)? } else { Vec::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = Vec::new();
    let done = runtime.block_on(within_deadline(args, lines, &mut out));
    // A blocked disk access is not waited for.
    runtime.shutdown_background();
    done?;
    match io::stdout().lock().write_all(&out) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

/// Opens the DB and executes the command, both within `--timeout`.
async fn within_deadline(args: NbArgs, lines: Vec<apply::Line>, out: &mut Vec<u8>) -> anyhow::Result<()> {
    let NbArgs { nb: url, timeout, command } = args;
    let limit = Duration::from_secs(timeout);
    let late = |last: Option<String>| {
        let last =
            last.map_or_else(|| "it has not answered".to_owned(), |said| shorten_message(&said).into_owned());
        let unknown = if command.writes() {
            "; whether it was written is not known: read before you try again"
        } else {
            ""
        };
        anyhow!(
            "northbound DB {}: no result within {timeout} s: {last}{unknown} -> look at the DB, or give a longer --timeout",
            shorten(&masked(&url))
        )
    };
    let deadline = Instant::now() + limit;
    let creates = matches!(command, NbCommand::Init | NbCommand::Apply { .. } | NbCommand::Put { .. });
    let opening = async { if creates { open(&url).await } else { open_existing(&url).await } };
    let db = timeout_at(deadline, opening).await.map_err(|_| late(None))??;
    let executing = execute(&command, &*db, &url, lines, out);
    timeout_at(deadline, executing).await.map_err(|_| late(db.last_failure()))?
}

async fn execute(
    command: &NbCommand,
    db: &dyn NorthboundDb,
    url: &str,
    lines: Vec<apply::Line>,
    out: &mut Vec<u8>,
) -> anyhow::Result<()> {
    match command {
        NbCommand::Init => {
            // A read proves that a server is reachable and grants access.
            db.list(Table::Chassis).await?;
            writeln!(out, "{} is ready", masked(url))?;
        }
        NbCommand::Apply { .. } => {
            let count = lines.len();
            let committed = apply::write(db, lines).await?;
            writeln!(out, "{}", messages::many(count, &committed))?;
        }
        NbCommand::List { table, json } => {
            let records = db.list(*table).await?;
            if *json {
                let records: Vec<_> = records.into_iter().map(|record| record.json).collect();
                writeln!(out, "{}", printable_json(&serde_json::to_string_pretty(&records)?))?;
            } else {
                table::write(out, *table, &records)?;
            }
        }
        NbCommand::Get { table, id } => {
            let record = get(db, *table, id).await?;
            writeln!(out, "{}", printable_json(&serde_json::to_string_pretty(&record.json)?))?;
        }
        NbCommand::Put { table, json } => {
            let json = serde_json::from_str(json)
                .map_err(|error| anyhow!("{table} {:?} is not JSON: {error}", shorten(json)))?;
            let committed = commit(db, Op::Put { table: *table, json }).await?;
            writeln!(out, "{}", messages::one(&committed))?;
        }
        NbCommand::Delete { table, id } => {
            let committed = commit(db, Op::Delete { table: *table, id: id.clone() }).await?;
            writeln!(out, "{}", messages::one(&committed))?;
        }
        NbCommand::Dump => {
            for record in db.snapshot().await?.records {
                writeln!(out, "{}", printable_json(&apply::line(record)?))?;
            }
        }
        NbCommand::AddSubport { parent, port, vid } => {
            let committed = add_subport(db, parent, port, *vid).await?;
            writeln!(out, "{port} is a subport of {parent}, VLAN {vid}: {}", messages::one(&committed))?;
        }
        NbCommand::DelSubport { parent, port } => {
            let committed = del_subport(db, parent, port).await?;
            writeln!(out, "{port} is no subport of {parent} any more: {}", messages::one(&committed))?;
        }
    }
    Ok(())
}

async fn get(db: &dyn NorthboundDb, table: Table, id: &str) -> anyhow::Result<Record> {
    if let Some(record) = db.get(table, id).await? {
        return Ok(record);
    }
    match messages::ids_of_name(db, table, id).await {
        Some(ids) => bail!("no {table} {id}, but that is the name of {table} {ids}"),
        None => bail!("no {table} {id}: `trunkpath nb list {table}` shows those that exist"),
    }
}

async fn commit(db: &dyn NorthboundDb, op: Op) -> anyhow::Result<Committed> {
    match db.commit(vec![op]).await {
        Ok(committed) => Ok(committed),
        Err(error) => Err(messages::with_ids_of_name(db, error).await),
    }
}

async fn add_subport(db: &dyn NorthboundDb, parent: &str, port: &str, vid: u64) -> anyhow::Result<Committed> {
    let table = Table::ChildPortSegmentation;
    // As in Neutron the segmentation belongs to the project of the parent.
    let topic = db.get(Table::Lport, parent).await?.and_then(|record| record.json.get("topic").cloned());
    let json = json!({
        "parent": parent,
        "port": port,
        "segmentation_type": "vlan",
        "segmentation_id": vid,
        "topic": topic.unwrap_or_else(|| Value::from("")),
    });
    match db.commit(vec![Op::Create { table, json }]).await {
        Ok(committed) => Ok(committed),
        Err(NbError::Rejected { reason: RecordError::Exists, .. }) => {
            let present = db.get(table, &segmentation_id(parent, port)).await?;
            let vid = present.map(|record| record.json["segmentation_id"].clone()).unwrap_or_default();
            bail!(
                "{port} is a subport of {parent} already, VLAN {vid}: to change the VLAN, run \
                 `trunkpath nb del-subport {parent} {port}` first"
            )
        }
        Err(error) => Err(messages::with_ids_of_name(db, error).await),
    }
}

async fn del_subport(db: &dyn NorthboundDb, parent: &str, port: &str) -> anyhow::Result<Committed> {
    let table = Table::ChildPortSegmentation;
    let segmentations = db.list(table).await?;
    let wanted =
        segmentations.iter().find(|record| record.json["parent"] == parent && record.json["port"] == port);
    if let Some(Record { id, .. }) = wanted {
        return commit(db, Op::Delete { table, id: id.clone() }).await;
    }
    for name in [parent, port] {
        if let Some(ids) = messages::ids_of_name(db, Table::Lport, name).await {
            bail!("{port} is no subport of {parent}, but {name} is the name of lport {ids}");
        }
    }
    bail!("{port} is no subport of {parent}: `trunkpath nb list {table}` shows the subports");
}
