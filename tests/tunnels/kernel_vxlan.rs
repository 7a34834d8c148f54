//! The kernel's vxlan link, and a bridge that joins it to the guest's link.

use super::testbed::{Family, GUEST_LINK, KEY, Site, Switch};

/// The links go with the namespace of the host.
pub struct KernelVxlan {
    netns: String,
}

impl KernelVxlan {
    pub fn start(site: &Site) -> Box<dyn Switch> {
        let (host, uplink) = (&site.host, site.uplink());
        site.add_endpoint(&uplink);
        // Open vSwitch sends no checksum over IPv6 (RFC 6935 permits it to tunnels).
        let zero_checksums = if site.family == Family::V6 { "udp6zerocsumrx" } else { "" };
        let (local, remote) = (site.local(), site.remote());
        host.ip(&format!(
            "link add vx0 type vxlan id {KEY} local {local} remote {remote} dstport 4789 dev {uplink} \
             {zero_checksums}"
        ));
        host.ip("link add br0 type bridge");
        for link in ["vx0", GUEST_LINK] {
            host.ip(&format!("link set dev {link} master br0"));
        }
        // As the guests, which do not lower theirs. The underlay has room for it.
        host.ip("link set dev vx0 mtu 1500");
        for link in ["vx0", "br0"] {
            host.ip(&format!("link set dev {link} up"));
        }
        Box::new(Self { netns: host.name().to_owned() })
    }
}

impl Switch for KernelVxlan {
    fn state(&self) -> String {
        testkit::command::run(&format!("ip -n {} -s -d link show dev vx0", self.netns))
    }
}
