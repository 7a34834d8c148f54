//! `trunkpath stats`: counters, once or every second.

use std::io::{IsTerminal, stdout};
use std::time::{Duration, Instant};

use super::daemon::{DaemonArgs, block_on, decode, request_json};
use super::output::{print, print_json, printable_json, rate, table};
use crate::api::Query;
use crate::api::model::{ChunkCensus, OutsideStats, OutsideSubject, PortStats, SocketStats, StatsView};

/// Options of `trunkpath stats`.
#[derive(Debug, clap::Args)]
pub struct StatsArgs {
    /// Print rates every second until Ctrl-C (with --json: the counters, one line each second)
    #[arg(long)]
    watch: bool,
    /// Show the number of chunks in each place of the packet memory
    #[arg(long)]
    memory: bool,
    #[command(flatten)]
    pub(super) daemon: DaemonArgs,
}

pub(super) fn run(args: &StatsArgs) -> anyhow::Result<()> {
    block_on(async {
        if !args.watch {
            let mut client = args.daemon.connect().await?;
            let answer = request_json(&mut client, &Query::Stats).await?;
            return if args.daemon.json {
                print_json(&answer)
            } else {
                print(&show(&decode(answer)?, args.memory))
            };
        }
        tokio::select! {
            ended = watch(args) => ended,
            interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        }
    })
}

async fn watch(args: &StatsArgs) -> anyhow::Result<()> {
    let mut client = args.daemon.connect().await?;
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    let mut before: Option<(Instant, StatsView)> = None;
    loop {
        every_second.tick().await;
        let answer = request_json(&mut client, &Query::Stats).await?;
        let now = Instant::now();
        if args.daemon.json {
            print(&(printable_json(&answer.to_string()) + "\n"))?;
            continue;
        }
        let stats: StatsView = decode(answer)?;
        if let Some((then, before)) = &before {
            let clear = if stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
            let rates = rates(before, &stats, now.duration_since(*then).as_secs_f64());
            print(&format!("{clear}{rates}\n{}\n", memory(&stats.chunks, args.memory)))?;
        }
        before = Some((now, stats));
    }
}

fn show(stats: &StatsView, places: bool) -> String {
    let ports = table(
        ["LPORT", ">RECEIVED", ">BYTES", ">SENT", ">BYTES", ">DROPPED"],
        stats.ports.iter().map(|port| {
            let counts = [port.received_frames, port.received_bytes, port.sent_frames, port.sent_bytes];
            let [received, received_bytes, sent, sent_bytes] = counts.map(|count| count.to_string());
            [port.lport.clone(), received, received_bytes, sent, sent_bytes, dropped(port).to_string()]
        }),
    );
    let links = table(
        ["LINK", ">TO SOCKET", ">NO SOCKET: PASSED", ">NO SOCKET: DROPPED", ">TRANSMIT DROPPED"],
        stats.links.iter().map(|link| {
            let counts = [link.redirected, link.passed, link.dropped, link.transmit_dropped];
            let [redirected, passed, dropped, transmit_dropped] = counts.map(|count| count.to_string());
            [link.link.clone(), redirected, passed, dropped, transmit_dropped]
        }),
    );
    let blocks = [
        ports,
        outside(stats),
        drops(stats),
        address_moves(stats),
        links,
        sockets(stats),
        memory(&stats.chunks, places),
    ];
    blocks.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn dropped(port: &PortStats) -> u64 {
    port.drops.values().sum()
}

/// A line for each host and provider network; empty without any.
fn outside(stats: &StatsView) -> String {
    if stats.outside.is_empty() {
        return String::new();
    }
    table(
        ["OUTSIDE", ">RECEIVED", ">BYTES", ">SENT", ">BYTES", ">DROPPED"],
        stats.outside.iter().map(|far| {
            let dropped = far.drops.values().sum();
            let counts = [far.received_frames, far.received_bytes, far.sent_frames, far.sent_bytes, dropped];
            let [received, received_bytes, sent, sent_bytes, dropped] =
                counts.map(|count: u64| count.to_string());
            [subject(far), received, received_bytes, sent, sent_bytes, dropped]
        }),
    )
}

fn subject(far: &OutsideStats) -> String {
    match &far.subject {
        OutsideSubject::Peer(peer) => format!("peer {peer}"),
        OutsideSubject::Segment(network) => format!("network {network}"),
    }
}

/// A line for each port, host or provider network and reason; empty without drops.
fn drops(stats: &StatsView) -> String {
    let ports = stats.ports.iter().map(|port| (port.lport.clone(), &port.drops));
    let outside = stats.outside.iter().map(|far| (subject(far), &far.drops));
    let mut rows = ports
        .chain(outside)
        .flat_map(|(about, drops)| drops.iter().map(move |(reason, count)| (about.clone(), reason, *count)))
        .filter(|(_, _, count)| *count > 0)
        .map(|(about, reason, count)| [about, reason.clone(), count.to_string()])
        .peekable();
    if rows.peek().is_none() { String::new() } else { table(["LPORT", "DROP REASON", ">FRAMES"], rows) }
}

/// A line for each port that shares addresses; empty when no address has moved.
fn address_moves(stats: &StatsView) -> String {
    let mut rows = stats
        .ports
        .iter()
        .filter(|port| port.address_moves > 0 || port.refused_address_moves > 0)
        .map(|port| {
            [port.lport.clone(), port.address_moves.to_string(), port.refused_address_moves.to_string()]
        })
        .peekable();
    if rows.peek().is_none() {
        String::new()
    } else {
        table(["LPORT", ">ADDRESSES MOVED HERE", ">FRAMES REFUSED A MOVE"], rows)
    }
}

/// A line for each socket's counter of dropped frames that is not 0.
fn sockets(stats: &StatsView) -> String {
    let mut rows = stats
        .links
        .iter()
        .flat_map(|link| link.sockets.iter().map(move |socket| (&link.link, socket)))
        .flat_map(|(link, socket)| {
            let queue = format!("{link}/{}", socket.queue);
            socket_drops(socket).map(move |(what, count)| [queue.clone(), what.to_owned(), count.to_string()])
        })
        .peekable();
    if rows.peek().is_none() { String::new() } else { table(["SOCKET", "KERNEL COUNTER", ">TIMES"], rows) }
}

fn socket_drops(socket: &SocketStats) -> impl Iterator<Item = (&'static str, u64)> {
    [
        ("rx_dropped: no room, or longer than a chunk", socket.rx_dropped),
        ("rx_ring_full: the worker is too slow", socket.rx_ring_full),
        ("fill_ring_empty: no free chunks", socket.fill_ring_empty),
        ("rx_invalid: bad fill descriptors", socket.rx_invalid),
        ("tx_invalid: bad TX descriptors", socket.tx_invalid),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
}

/// The share of the packet memory that is in use; all places with `places`, or when a chunk has leaked.
fn memory(chunks: &ChunkCensus, places: bool) -> String {
    let ChunkCensus { total, pool, fill, rx, in_hand, tx, completion, between_workers, sum } = chunks;
    if sum == total && !places {
        let used = total.saturating_sub(*pool).saturating_mul(100).checked_div(*total).unwrap_or(0);
        return format!("packet memory {used} % in use\n");
    }
    let verdict =
        if sum == total { format!("all {total}") } else { format!("{sum} of {total}: NOT ALL THERE") };
    format!(
        "chunks: pool {pool} + fill {fill} + RX {rx} + in hand {in_hand} + TX {tx} + completion {completion} \
         + between workers {between_workers} = {verdict}\n"
    )
}

/// The rates of each port in the `seconds` between two answers, and the reasons of its drops.
fn rates(before: &StatsView, after: &StatsView, seconds: f64) -> String {
    let zero = PortStats::default();
    table(
        ["LPORT", ">RECEIVED/s", ">bit/s", ">SENT/s", ">bit/s", ">DROPPED/s", "REASONS"],
        after.ports.iter().map(|port| {
            let then = before.ports.iter().find(|then| then.lport == port.lport).unwrap_or(&zero);
            let per_second = |count: fn(&PortStats) -> u64, unit: f64| {
                rate(growth(count(then), count(port)) * unit / seconds)
            };
            [
                port.lport.clone(),
                per_second(|port| port.received_frames, 1.0),
                per_second(|port| port.received_bytes, 8.0),
                per_second(|port| port.sent_frames, 1.0),
                per_second(|port| port.sent_bytes, 8.0),
                per_second(dropped, 1.0),
                growing(then, port).join(" "),
            ]
        }),
    )
}

fn growing<'a>(then: &PortStats, now: &'a PortStats) -> Vec<&'a str> {
    let grew = |(reason, count): &(&String, &u64)| *count > then.drops.get(*reason).unwrap_or(&0);
    now.drops.iter().filter(grew).map(|(reason, _)| reason.as_str()).collect()
}

/// 0 for a port that was deleted and created in between, which counts from 0 again.
#[expect(clippy::cast_precision_loss, reason = "a rate is shown in three digits")]
fn growth(then: u64, now: u64) -> f64 {
    now.saturating_sub(then) as f64
}
