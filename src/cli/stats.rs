//! `trunkpath stats`: counters, once or every second.

use std::io::{IsTerminal, stdout};
use std::time::{Duration, Instant};

use super::output::{print, print_json, printable_json, rate, table};
use super::{DaemonArgs, ask_json, block_on, read};
use crate::api::Query;
use crate::api::model::{FrameCensus, PortStats, SocketStats, StatsView};

/// Options of `trunkpath stats`.
#[derive(Debug, clap::Args)]
pub struct StatsArgs {
    /// Every second anew, with rates, until Ctrl-C (with --json: a line each)
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    pub(super) daemon: DaemonArgs,
}

/// Runs the command.
pub(super) fn run(args: &StatsArgs) -> anyhow::Result<()> {
    block_on(async {
        if !args.watch {
            let mut client = args.daemon.connect().await?;
            let answer = ask_json(&mut client, &Query::Stats).await?;
            return if args.daemon.json { print_json(&answer) } else { print(&show(&read(answer)?)) };
        }
        tokio::select! {
            ended = watch(&args.daemon) => ended,
            interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        }
    })
}

async fn watch(daemon: &DaemonArgs) -> anyhow::Result<()> {
    let mut client = daemon.connect().await?;
    let mut every_second = tokio::time::interval(Duration::from_secs(1));
    let mut before: Option<(Instant, StatsView)> = None;
    loop {
        every_second.tick().await;
        let answer = ask_json(&mut client, &Query::Stats).await?;
        let now = Instant::now();
        if daemon.json {
            print(&(printable_json(&answer.to_string()) + "\n"))?;
            continue;
        }
        let stats: StatsView = read(answer)?;
        if let Some((then, before)) = &before {
            let clear = if stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
            let rates = rates(before, &stats, now.duration_since(*then).as_secs_f64());
            print(&format!("{clear}{rates}\n{}\n", frames(&stats.frames)))?;
        }
        before = Some((now, stats));
    }
}

fn show(stats: &StatsView) -> String {
    let ports = table(
        ["LPORT", ">RECEIVED", ">BYTES", ">SENT", ">BYTES", ">DROPPED"],
        stats.ports.iter().map(|port| {
            let counts = [port.received_frames, port.received_bytes, port.sent_frames, port.sent_bytes];
            let [received, received_bytes, sent, sent_bytes] = counts.map(|count| count.to_string());
            [port.lport.clone(), received, received_bytes, sent, sent_bytes, dropped(port).to_string()]
        }),
    );
    let devices = table(
        ["DEVICE", ">REDIRECTED", ">PASSED", ">DROPPED", ">TRANSMIT DROPPED"],
        stats.devices.iter().map(|device| {
            let counts = [device.redirected, device.passed, device.dropped, device.transmit_dropped];
            let [redirected, passed, dropped, lost] = counts.map(|count| count.to_string());
            [device.device.clone(), redirected, passed, dropped, lost]
        }),
    );
    let blocks = [ports, drops(stats), address_moves(stats), devices, sockets(stats), frames(&stats.frames)];
    blocks.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn dropped(port: &PortStats) -> u64 {
    port.drops.values().sum()
}

/// A line for each port and reason; nothing when nothing was dropped.
fn drops(stats: &StatsView) -> String {
    let mut rows = stats
        .ports
        .iter()
        .flat_map(|port| port.drops.iter().map(move |(reason, count)| (port, reason, *count)))
        .filter(|(_, _, count)| *count > 0)
        .map(|(port, reason, count)| [port.lport.clone(), reason.clone(), count.to_string()])
        .peekable();
    if rows.peek().is_none() { String::new() } else { table(["LPORT", "DROP REASON", ">FRAMES"], rows) }
}

/// A line for each port that shares addresses; nothing when no address has moved.
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

/// A line for each socket's counter that tells of a loss; nothing when there was none.
fn sockets(stats: &StatsView) -> String {
    let mut rows = stats
        .devices
        .iter()
        .flat_map(|device| device.sockets.iter().map(move |socket| (&device.device, socket)))
        .flat_map(|(device, socket)| {
            let queue = format!("{device}/{}", socket.queue);
            losses(socket).map(move |(what, count)| [queue.clone(), what.to_owned(), count.to_string()])
        })
        .peekable();
    if rows.peek().is_none() { String::new() } else { table(["SOCKET", "KERNEL COUNTED", ">TIMES"], rows) }
}

fn losses(socket: &SocketStats) -> impl Iterator<Item = (&'static str, u64)> {
    [
        ("rx_dropped: no room, or longer than a frame", socket.rx_dropped),
        ("rx_ring_full: the worker is too slow", socket.rx_ring_full),
        ("fill_ring_empty: no free frames", socket.fill_ring_empty),
        ("rx_invalid: bad fill descriptors", socket.rx_invalid),
        ("tx_invalid: bad TX descriptors", socket.tx_invalid),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
}

fn frames(frames: &FrameCensus) -> String {
    let FrameCensus { total, pool, fill, rx, in_hand, tx, completion, between_workers, sum } = frames;
    let places = format!(
        "pool {pool} + fill {fill} + RX {rx} + in hand {in_hand} + TX {tx} + completion {completion} \
         + between workers {between_workers}"
    );
    let verdict =
        if sum == total { format!("all {total} there") } else { format!("{sum} of {total}: NOT ALL THERE") };
    format!("frames: {places} = {verdict}\n")
}

/// What each port did in the `seconds` between two looks, and where frames ended.
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

/// A port that was made anew counts from 0 again: that is no growth.
#[expect(clippy::cast_precision_loss, reason = "a rate is shown in three digits")]
fn growth(then: u64, now: u64) -> f64 {
    now.saturating_sub(then) as f64
}
