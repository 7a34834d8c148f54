//! `trunkpath nb`: reads and writes the northbound DB, with the daemon running or not.

mod apply;
mod table;

use std::io::{self, Write};

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

use super::output::printable_json;
use crate::nb::{DEFAULT_URL, NorthboundDb, Op, Record, Table, masked, open, open_existing};

/// Options of `trunkpath nb`.
#[derive(Debug, clap::Args)]
pub struct NbArgs {
    /// The northbound DB: sqlite:PATH, etcd://HOST:PORT,HOST:PORT,... or redis://HOST:PORT; etcds:// and rediss:// for
    /// TLS
    #[arg(long, value_name = "URL", default_value = DEFAULT_URL, global = true)]
    nb: String,
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
        /// The record's id
        id: String,
    },
    /// Make or replace a record
    Put {
        /// The table, as lport
        table: Table,
        /// The record, as a JSON object
        json: String,
    },
    /// Delete a record
    Delete {
        /// The table, as lport
        table: Table,
        /// The record's id
        id: String,
    },
    /// Write all records to standard output, in the form that apply reads
    Dump,
    /// Make a port a subport: frames of the parent with this VLAN tag are the port's
    AddSubport {
        /// The parent lport's id
        parent: String,
        /// The lport's id
        port: String,
        /// The VLAN id, 1 to 4094
        vid: u64,
    },
    /// Make a subport an ordinary port again
    DelSubport {
        /// The parent lport's id
        parent: String,
        /// The lport's id
        port: String,
    },
}

/// Does what `args` say.
///
/// # Errors
/// In words for the person at the terminal.
pub fn run(args: NbArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = Vec::new();
    runtime.block_on(execute(args, &mut out))?;
    match io::stdout().lock().write_all(&out) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("standard output"),
        _ => Ok(()),
    }
}

async fn execute(NbArgs { nb: url, command }: NbArgs, out: &mut Vec<u8>) -> anyhow::Result<()> {
    match command {
        NbCommand::Init => {
            // Asked something, so that a server is known to be there and to let us in.
            open(&url).await?.list(Table::Chassis).await?;
            writeln!(out, "{} is ready", masked(&url))?;
        }
        NbCommand::Apply { file } => {
            let lines = apply::read(&file)?;
            let count = lines.len();
            let revision = apply::write(&*open(&url).await?, lines).await?;
            writeln!(out, "{count} records applied, revision {revision}")?;
        }
        NbCommand::List { table, json } => {
            let records = open_existing(&url).await?.list(table).await?;
            if json {
                let records: Vec<_> = records.into_iter().map(|record| record.json).collect();
                writeln!(out, "{}", printable_json(&serde_json::to_string_pretty(&records)?))?;
            } else {
                table::write(out, table, &records)?;
            }
        }
        NbCommand::Get { table, id } => {
            let record = open_existing(&url).await?.get(table, &id).await?;
            let record =
                record.with_context(|| format!("no {table} {id}: `nb list {table}` shows what exists"))?;
            writeln!(out, "{}", printable_json(&serde_json::to_string_pretty(&record.json)?))?;
        }
        NbCommand::Put { table, json } => {
            let json = serde_json::from_str(&json)
                .map_err(|error| anyhow!("{table} {json:?} is not JSON: {error}"))?;
            let revision = open(&url).await?.put(table, json).await?;
            writeln!(out, "{table} written, revision {revision}")?;
        }
        NbCommand::Delete { table, id } => {
            let revision = open_existing(&url).await?.delete(table, &id).await?;
            writeln!(out, "{table} {id} deleted, revision {revision}")?;
        }
        NbCommand::Dump => {
            for record in open_existing(&url).await?.snapshot().await?.records {
                writeln!(out, "{}", printable_json(&apply::line(record)?))?;
            }
        }
        NbCommand::AddSubport { parent, port, vid } => {
            add_subport(&*open_existing(&url).await?, &parent, &port, vid).await?;
            writeln!(out, "{port} is a subport of {parent}, VLAN {vid}")?;
        }
        NbCommand::DelSubport { parent, port } => {
            del_subport(&*open_existing(&url).await?, &parent, &port).await?;
            writeln!(out, "{port} is no subport of {parent} any more")?;
        }
    }
    Ok(())
}

async fn add_subport(db: &dyn NorthboundDb, parent: &str, port: &str, vid: u64) -> anyhow::Result<()> {
    // As Neutron does: the segmentation belongs to the project of the parent.
    let topic = db.get(Table::Lport, parent).await?.and_then(|record| record.json.get("topic").cloned());
    let json = json!({
        "parent": parent,
        "port": port,
        "segmentation_type": "vlan",
        "segmentation_id": vid,
        "topic": topic.unwrap_or_else(|| Value::from("")),
    });
    db.transact(vec![Op::Create { table: Table::ChildPortSegmentation, json }]).await?;
    Ok(())
}

async fn del_subport(db: &dyn NorthboundDb, parent: &str, port: &str) -> anyhow::Result<()> {
    let table = Table::ChildPortSegmentation;
    let segmentations = db.list(table).await?;
    let wanted =
        segmentations.iter().find(|record| record.json["parent"] == parent && record.json["port"] == port);
    let Some(Record { id, .. }) = wanted else {
        bail!("{port} is no subport of {parent}: `nb list {table}` shows which are");
    };
    db.delete(table, id).await?;
    Ok(())
}
