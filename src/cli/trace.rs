//! `trunkpath trace`: what would become of a frame.

use super::output::{print, print_json, printable, table};
use super::{DaemonArgs, ask, ask_json, block_on, read};
use crate::api::model::{PortView, SubportView, TraceRequest, TraceView};
use crate::api::{Client, Hex, Query};
use crate::types::MacAddr;

/// The EtherType for local experiments (IEEE Std 802-2014, 9.2.3): a frame that is nobody's protocol.
const LOCAL_EXPERIMENT: [u8; 2] = 0x88b5_u16.to_be_bytes();
const TPID: [u8; 2] = 0x8100_u16.to_be_bytes();
/// The shortest Ethernet frame, without FCS.
const MIN_FRAME_BYTES: usize = 60;
/// Locally administered; for a port without an address of its own.
const SOME_MAC: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);

/// Options of `trunkpath trace`.
#[derive(Debug, clap::Args)]
pub struct TraceArgs {
    /// The lport whose device the frame comes in by; for a subport's frame its parent, with --vlan
    #[arg(long, value_name = "LPORT")]
    port: String,
    /// The frame from the destination address on, in hexadecimal
    #[arg(long, value_name = "FRAME", conflicts_with_all = ["vlan", "src", "dst"])]
    hex: Option<Hex>,
    /// The tag's VID; 0 for a priority tag [default: no tag]
    #[arg(long, value_name = "VID", value_parser = clap::value_parser!(u16).range(0..=4095))]
    vlan: Option<u16>,
    /// The source address [default: the sending port's own]
    #[arg(long, value_name = "MAC")]
    src: Option<MacAddr>,
    /// The destination address
    #[arg(long, value_name = "MAC", required_unless_present = "hex")]
    dst: Option<MacAddr>,
    #[command(flatten)]
    pub(super) daemon: DaemonArgs,
}

/// Runs the command.
pub(super) fn run(args: &TraceArgs) -> anyhow::Result<()> {
    block_on(async {
        let mut client = args.daemon.connect().await?;
        let frame = match (&args.hex, args.dst) {
            (Some(frame), _) => frame.clone(),
            (None, dst) => {
                let src = match args.src {
                    Some(src) => src,
                    None => own_address(&mut client, &args.port, args.vlan).await?,
                };
                build(dst.unwrap_or(MacAddr::BROADCAST), src, args.vlan)
            }
        };
        let query = Query::Trace(TraceRequest { port: args.port.clone(), frame });
        let answer = ask_json(&mut client, &query).await?;
        if args.daemon.json { print_json(&answer) } else { print(&show(&read(answer)?)) }
    })
}

/// The address that the sender of such a frame would use: the subport's with this VID, else the port's.
async fn own_address(client: &mut Client, lport: &str, vlan: Option<u16>) -> anyhow::Result<MacAddr> {
    let subports: Vec<SubportView> = ask(client, &Query::Subports).await?;
    let ports: Vec<PortView> = ask(client, &Query::Ports).await?;
    let sender = subports
        .iter()
        .filter(|subport| subport.parent == lport && subport.segmentation_id == vlan.map(u64::from))
        .map(|subport| &subport.macs)
        .chain(ports.iter().filter(|port| port.lport == lport).map(|port| &port.macs));
    Ok(sender.flatten().next().copied().unwrap_or(SOME_MAC))
}

fn build(dst: MacAddr, src: MacAddr, vlan: Option<u16>) -> Hex {
    let mut frame = [dst.bytes(), src.bytes()].concat();
    if let Some(vid) = vlan {
        frame.extend(TPID);
        frame.extend(vid.to_be_bytes());
    }
    frame.extend(LOCAL_EXPERIMENT);
    frame.resize(MIN_FRAME_BYTES, 0);
    Hex(frame)
}

fn show(trace: &TraceView) -> String {
    let steps = trace.steps.iter().map(|step| [step.step.clone(), step.what.clone()]);
    let outputs = trace.outputs.iter().map(|output| {
        let (device, port) = (printable(&output.device), printable(&output.port));
        format!("leaves by {device} to {port}: {}\n", output.frame)
    });
    let drops = trace
        .drops
        .iter()
        .map(|drop| format!("dropped at {}: {}\n", printable(&drop.port), printable(&drop.reason)));
    let nothing = trace.outputs.is_empty().then(|| "nothing leaves\n".to_owned());
    [table(["STEP", "WHAT"], steps)].into_iter().chain(outputs).chain(drops).chain(nothing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_built_as_they_would_be_sent() {
        let [dst, src] = [[1; 6], [2; 6]].map(MacAddr::new);
        let Hex(plain) = build(dst, src, None);
        assert_eq!((plain.len(), &plain[..14]), (60, &[1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x88, 0xb5][..]));
        let Hex(tagged) = build(dst, src, Some(100));
        assert_eq!((tagged.len(), &tagged[12..18]), (60, &[0x81, 0, 0, 100, 0x88, 0xb5][..]));
    }
}
