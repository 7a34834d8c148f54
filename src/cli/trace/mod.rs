//! `trunkpath trace`: the route of a frame, without sending it.

mod decode;

use super::daemon::{DaemonArgs, block_on, decode as decode_answer, request, request_json};
use super::output::{print, print_json, table};
use crate::api::model::{PortView, SubportView, TraceRequest, TraceView};
use crate::api::{Client, Hex, Query};
use crate::types::{MacAddr, printable};
use decode::describe;

/// The EtherType for local experiments (IEEE Std 802-2014, 9.2.3), which no protocol uses.
const LOCAL_EXPERIMENT: [u8; 2] = 0x88b5_u16.to_be_bytes();
const TPID: [u8; 2] = 0x8100_u16.to_be_bytes();
/// The shortest Ethernet frame, without FCS.
const MIN_FRAME_BYTES: usize = 60;
/// The source for a port without an address of its own; locally administered.
const DEFAULT_SOURCE: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);

/// Options of `trunkpath trace`.
#[derive(Debug, clap::Args)]
pub struct TraceArgs {
    /// Id of the lport whose link the frame arrives on; for a frame of a subport its parent, with --vlan
    #[arg(long, value_name = "LPORT")]
    port: String,
    /// Frame in hexadecimal digits, from the destination address on, without FCS
    #[arg(long, value_name = "FRAME", conflicts_with_all = ["vlan", "src", "dst"])]
    hex: Option<Hex>,
    /// VLAN ID of the frame's tag; 0 for a priority tag [default: no tag]
    #[arg(long, value_name = "VID", value_parser = clap::value_parser!(u16).range(0..=4095))]
    vlan: Option<u16>,
    /// Source MAC address [default: the address of the sending port]
    #[arg(long, value_name = "MAC")]
    src: Option<MacAddr>,
    /// Destination MAC address of the frame
    #[arg(long, value_name = "MAC", required_unless_present = "hex")]
    dst: Option<MacAddr>,
    /// Print each frame that leaves also in hexadecimal digits
    #[arg(long)]
    hex_out: bool,
    #[command(flatten)]
    pub(super) daemon: DaemonArgs,
}

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
        let answer = request_json(&mut client, &query).await?;
        if args.daemon.json {
            print_json(&answer)
        } else {
            print(&show(&decode_answer(answer)?, args.hex_out))
        }
    })
}

/// The address of the subport with this VID, else that of the port.
async fn own_address(client: &mut Client, lport: &str, vlan: Option<u16>) -> anyhow::Result<MacAddr> {
    let subports: Vec<SubportView> = request(client, &Query::Subports).await?;
    let ports: Vec<PortView> = request(client, &Query::Ports).await?;
    let sender = subports
        .iter()
        .filter(|subport| subport.parent == lport && subport.segmentation_id == vlan.map(u64::from))
        .map(|subport| &subport.macs)
        .chain(ports.iter().filter(|port| port.lport == lport).map(|port| &port.macs));
    Ok(sender.flatten().next().copied().unwrap_or(DEFAULT_SOURCE))
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

fn show(trace: &TraceView, hex_out: bool) -> String {
    let steps = trace.steps.iter().map(|step| [step.step.clone(), step.what.clone()]);
    let outputs = trace.outputs.iter().map(|output| {
        let (link, port) = (printable(&output.link), printable(&output.port));
        let to = match printable(&output.name) {
            name if name.is_empty() || name == port => port.into_owned(),
            name => format!("{name} ({port})"),
        };
        let hex = if hex_out { format!("  {}\n", output.frame) } else { String::new() };
        format!("leaves by {link} to {to}: {}\n{hex}", describe(&output.frame.0))
    });
    let drops = trace
        .drops
        .iter()
        .map(|drop| format!("dropped at {}: {}\n", printable(&drop.port), printable(&drop.reason)));
    let none = trace.outputs.is_empty().then(|| "no frame leaves\n".to_owned());
    [table(["STEP", "EFFECT"], steps)].into_iter().chain(outputs).chain(drops).chain(none).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_tag_ethertype_and_padding() {
        let [dst, src] = [[1; 6], [2; 6]].map(MacAddr::new);
        let Hex(plain) = build(dst, src, None);
        assert_eq!((plain.len(), &plain[..14]), (60, &[1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x88, 0xb5][..]));
        let Hex(tagged) = build(dst, src, Some(100));
        assert_eq!((tagged.len(), &tagged[12..18]), (60, &[0x81, 0, 0, 100, 0x88, 0xb5][..]));
    }
}
