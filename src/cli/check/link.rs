//! Findings about a link that belongs, or could belong, to a port.

use super::finding::{Finding, Verdict};
use crate::control::links::{LARGEST_MTU, Link};
use crate::kernel::inspect::{self, Attached, NativeXdp, XdpMode};

/// `lacking` is the verdict for whatever prevents the use of the link for a port. A pinned program does not
/// prevent it: the next start adopts the program.
pub(super) fn findings(link: &Link, lacking: Verdict, is_pinned: bool) -> Vec<Finding> {
    let about = format!("link {}", link.name);
    let mut findings = vec![state(&about, link, lacking)];
    match inspect::xdp(link.ifindex) {
        Ok(xdp) => {
            findings.extend(native(&about, link, xdp.native, lacking));
            let attached_program = xdp.attached.filter(|_| !is_pinned);
            findings.extend(attached_program.map(|program| attached(&about, link, program, lacking)));
        }
        Err(error) => {
            findings.push(Finding::not_ok(
                lacking,
                &about,
                format!("XDP: {error}"),
                "list the links with `ip link`: it may have been removed meanwhile",
            ));
        }
    }
    if link.mtu > LARGEST_MTU {
        findings.push(Finding::not_ok(
            lacking,
            &about,
            format!("MTU {}: packets over {LARGEST_MTU} bytes cannot be sent", link.mtu),
            format!("ip link set dev {} mtu 9000, and its peer too", link.name),
        ));
    }
    if inspect::has_large_receive_offload(&link.name).unwrap_or(false) {
        findings.push(Finding::not_ok(
            Verdict::Warning,
            &about,
            "large-receive-offload is on: merged frames are too long, and most drivers reject XDP programs",
            format!("ethtool -K {} lro off", link.name),
        ));
    }
    findings.extend(udp_segmentation(&about, link));
    findings
}

/// XDP does not pass on the segment size of a UDP packet that the VM has not segmented. A tap does not report
/// whether the VM sends such packets (`host_uso`), but whether it accepts them (`guest_uso4`, `guest_uso6`):
/// qemu switches all three on by default from machine type 8.2 on.
fn udp_segmentation(about: &str, link: &Link) -> Option<Finding> {
    if link.kind.as_deref() != Some("tun") || !inspect::has_udp_segmentation(&link.name).unwrap_or(false) {
        return None;
    }
    Some(Finding::not_ok(
        Verdict::Warning,
        about,
        "its VM offloads UDP segmentation: UDP packets that it does not segment are dropped, or arrive as one datagram",
        "switch it off in the VM's virtio-net device: host_uso=off,guest_uso4=off,guest_uso6=off (see docs/openstack.md)",
    ))
}

/// A link that is down is a warning only if the command line names it.
fn state(about: &str, link: &Link, lacking: Verdict) -> Finding {
    let kind = link.kind.as_deref().unwrap_or("NIC");
    let queues =
        if link.rx_queues == 1 { "1 queue".to_owned() } else { format!("{} queues", link.rx_queues) };
    let found = |state| format!("{kind}, {queues}, MTU {}, {state}", link.mtu);
    match (link.up, link.carrier) {
        (true, true) => Finding::ok(about, found("up")),
        (true, false) => Finding::not_ok(
            Verdict::Warning,
            about,
            found("up, but the other side is down"),
            "it carries frames as soon as the peer, the VM or the cable is up",
        ),
        (false, _) if lacking != Verdict::Missing => Finding::ok(about, found("down")),
        (false, _) => Finding::not_ok(
            Verdict::Warning,
            about,
            found("down"),
            format!("ip link set dev {} up", link.name),
        ),
    }
}

fn native(about: &str, link: &Link, native: NativeXdp, lacking: Verdict) -> Option<Finding> {
    match native {
        NativeXdp::Supported => None,
        NativeXdp::Unsupported => Some(generic_only(about, link, lacking)),
        NativeXdp::Unknown => Some(Finding::not_ok(
            Verdict::Warning,
            about,
            "unknown whether its driver has native XDP: the kernel reports that from Linux 6.3 on",
            "start the switch: `trunkpath show problems` lists the link if its driver has none",
        )),
    }
}

fn generic_only(about: &str, link: &Link, lacking: Verdict) -> Finding {
    let advice = if link.kind.as_deref() == Some("veth") {
        format!(
            "a veth needs as many RX queues as its peer has TX queues: make it with numrxqueues, or give the peer \
             fewer with ethtool -L PEER tx {}",
            link.rx_queues
        )
    } else {
        "its driver has no native XDP; allow_generic = true accepts it, but then a guest can hide a VLAN tag"
            .to_owned()
    };
    Finding::not_ok(lacking, about, "only generic XDP is possible", advice)
}

fn attached(about: &str, link: &Link, program: Attached, lacking: Verdict) -> Finding {
    let owner = inspect::owner_of(program.program_id);
    let found = format!("XDP program {} ({}), {owner}", program.program_id, program.mode.name());
    if !owner.processes.iter().any(|process| process.command == "trunkpath") {
        let advice = if owner.name.is_none() {
            "run this as root to see its owner".to_owned()
        } else if owner.processes.is_empty() {
            format!("no process holds it: ip link set dev {} xdp off", link.name)
        } else {
            "a link can have one XDP program: stop its owner".to_owned()
        };
        return Finding::not_ok(lacking, about, found, advice);
    }
    match program.mode {
        XdpMode::Native | XdpMode::Offload => Finding::ok(about, found),
        XdpMode::Generic => Finding::not_ok(
            Verdict::Warning,
            about,
            found,
            "in generic mode a guest can hide a VLAN tag (allow_generic)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::IfIndex;

    #[test]
    fn an_old_kernel_leaves_native_xdp_unknown() {
        let link = Link {
            ifindex: IfIndex::new(7).unwrap(),
            name: "tap0".to_owned(),
            alias: None,
            kind: Some("tun".to_owned()),
            up: true,
            carrier: true,
            mtu: 1500,
            mac: None,
            rx_queues: 1,
            tx_queues: 1,
        };
        let finding = |answer| native("link tap0", &link, answer, Verdict::Missing);
        assert_eq!(finding(NativeXdp::Supported), None);
        assert_eq!(finding(NativeXdp::Unsupported).unwrap().verdict, Verdict::Missing);
        let unknown = finding(NativeXdp::Unknown).unwrap();
        assert_eq!(unknown.verdict, Verdict::Warning);
        assert!(unknown.found.starts_with("unknown whether"), "{unknown:?}");
    }
}
