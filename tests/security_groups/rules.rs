//! What security groups do to one packet, one example each, on a port and on its subport.

use serde_json::{Value, json};
use testkit::frames::{DOT1Q, frame, payload};
use testkit::scenario::{Mac, PEER_A, PEER_B, Scenario, VM, WEB};
use testkit::security_groups::packet::{ACK, Body, FIN, Packet, RST, SYN};
use testkit::switch::Switch;

/// The VM is host 1 on both of its networks, its peers are host 2.
const OWN: [&str; 2] = ["10.0.0.1", "2001:db8::1"];

fn rule(direction: &str, more: &Value) -> Value {
    let mut rule = json!({"id": "r", "direction": direction, "ethertype": "IPv4"});
    rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    rule
}

/// A way into the VM and out of it, with the packets' tags, and the peer at the other end.
struct Guest {
    switch: Switch,
    port: &'static str,
    tags: &'static [(u16, u16)],
    mac: Mac,
    peer: (&'static str, Mac),
}

impl Guest {
    /// The VM's own port, and its subport, each with these rules; the other one has none.
    fn with(rules: &[Value]) -> [Self; 2] {
        let scenario = Scenario::vm_and_peers().group("g", rules).group("none", &[]);
        let parent = scenario.clone().guarded("vm", &OWN, &["g"]).guarded("web", &OWN, &["none"]);
        let subport = scenario.guarded("vm", &OWN, &["none"]).guarded("web", &OWN, &["g"]);
        let guest = |scenario: &Scenario, port, tags, mac, peer| Self {
            switch: Switch::new(scenario),
            port,
            tags,
            mac,
            peer,
        };
        [
            guest(&parent, "vm", &[], VM, ("peer-a", PEER_A)),
            guest(&subport, "web", &[(DOT1Q, 100)], WEB, ("peer-b", PEER_B)),
        ]
    }

    /// Whether a frame of the guest arrives.
    fn sends(&mut self, packet: &Packet) -> bool {
        let bytes = packet.frame(self.peer.1, self.mac, self.tags);
        let sent = self.switch.send("vm", &bytes);
        sent == [(self.peer.0.to_owned(), packet.frame(self.peer.1, self.mac, &[]))]
    }

    /// Whether the guest gets a frame of its peer.
    fn gets(&mut self, packet: &Packet) -> bool {
        let sent = self.switch.send(self.peer.0, &packet.frame(self.mac, self.peer.1, &[]));
        sent == [("vm".to_owned(), packet.frame(self.mac, self.peer.1, self.tags))]
    }

    fn drops(&self) -> Vec<String> {
        let drops = self.switch.drops();
        drops
            .iter()
            .map(|((port, reason), count)| format!("{} {reason} {count}", port.as_deref().unwrap()))
            .collect()
    }
}

fn udp(source: u16, destination: u16) -> Packet {
    Packet::new(1, 2, Body::Ports(17, source, destination))
}

fn tcp(flags: u8) -> Packet {
    Packet::new(1, 2, Body::Tcp(2000, 80, flags))
}

#[test]
fn without_a_rule_no_ip_passes_in_either_direction_and_other_protocols_do() {
    for mut guest in Guest::with(&[]) {
        assert!(!guest.sends(&udp(1, 2)) && !guest.gets(&udp(1, 2).reply()));
        assert!(!guest.sends(&udp(1, 2).v6()) && !guest.gets(&udp(1, 2).v6().reply()));
        let port = guest.port;
        assert_eq!(guest.drops(), [format!("{port} permit_no_rule 2"), format!("{port} admit_no_rule 2")]);
        let other = frame(guest.mac, guest.peer.1, &[], &payload());
        assert_eq!(guest.switch.send(guest.peer.0, &other).len(), 1);
    }
}

#[test]
fn the_answer_to_what_a_rule_allowed_passes_and_nothing_else_of_the_other_end() {
    for mut guest in
        Guest::with(&[rule("egress", &json!({"protocol": 17, "port_range_min": 53, "port_range_max": 53}))])
    {
        assert!(!guest.gets(&udp(7, 53).reply()), "before the question");
        assert!(guest.sends(&udp(7, 53)) && guest.gets(&udp(7, 53).reply()));
        assert!(!guest.gets(&udp(8, 53).reply()) && !guest.sends(&udp(7, 54)));
        guest.switch.outlet.now = 121_000_000_000;
        assert!(!guest.gets(&udp(7, 53).reply()), "after the time of a stream");
    }
}

#[test]
fn a_tcp_connection_is_followed_from_syn_to_fin() {
    for mut guest in Guest::with(&[rule("egress", &json!({"protocol": 6}))]) {
        assert!(!guest.sends(&tcp(SYN | ACK)) && !guest.sends(&tcp(FIN | ACK)) && !guest.sends(&tcp(RST)));
        assert!(!guest.sends(&tcp(0)) && !guest.sends(&tcp(SYN | FIN)) && !guest.sends(&tcp(SYN | RST)));
        assert_eq!(guest.drops(), [format!("{} permit_invalid 6", guest.port)]);
        assert!(guest.sends(&tcp(SYN)) && guest.gets(&tcp(SYN | ACK).reply()) && guest.sends(&tcp(ACK)));
        guest.switch.outlet.now = 400_000_000_000_000;
        assert!(guest.gets(&tcp(ACK).reply()), "after days");
        assert!(
            guest.sends(&tcp(FIN | ACK)) && guest.gets(&tcp(FIN | ACK).reply()) && guest.sends(&tcp(ACK))
        );
        guest.switch.outlet.now += 121_000_000_000;
        assert!(!guest.gets(&tcp(ACK).reply()), "it is over");
    }
}

#[test]
fn a_connection_that_is_found_in_the_middle_is_a_new_one() {
    for mut guest in Guest::with(&[rule("egress", &json!({"protocol": 6}))]) {
        assert!(!guest.gets(&tcp(ACK).reply()));
        assert!(guest.sends(&tcp(ACK)) && guest.gets(&tcp(ACK).reply()));
    }
}

#[test]
fn an_error_passes_if_it_is_about_a_connection_even_with_8_bytes_of_it() {
    for mut guest in Guest::with(&[rule("egress", &json!({"protocol": 6}))]) {
        let error = |about: &Packet, to| Packet {
            v6: about.v6,
            from: 7,
            to,
            body: Body::Error(3, 4, Box::new(about.clone())),
            fragment: None,
        };
        assert!(!guest.gets(&error(&tcp(SYN), 1)), "about nothing");
        assert!(guest.sends(&tcp(SYN)) && guest.gets(&error(&tcp(SYN), 1)));
        assert!(!guest.gets(&error(&tcp(SYN), 3)), "to somebody else");
        assert_eq!(guest.drops(), [format!("{} admit_invalid 2", guest.port)]);
    }
}

#[test]
fn an_echo_reply_needs_its_request_and_a_type_and_code_of_zero_are_values() {
    let echo = json!({"protocol": 1, "port_range_min": 8, "port_range_max": 0});
    for mut guest in
        Guest::with(&[rule("egress", &echo), rule("ingress", &json!({"protocol": 1, "port_range_min": 0}))])
    {
        let ping = |kind, code, id| Packet::new(1, 2, Body::Message(kind, code, id));
        assert!(!guest.gets(&ping(0, 0, 5).reply()), "no request, though a rule allows type 0");
        assert!(guest.sends(&ping(8, 0, 5)) && guest.gets(&ping(0, 0, 5).reply()));
        assert!(
            !guest.gets(&ping(0, 0, 6).reply())
                && !guest.sends(&ping(8, 1, 7))
                && !guest.gets(&ping(8, 0, 5).reply())
        );
    }
}

#[test]
fn later_fragments_follow_their_first_for_30_seconds() {
    for mut guest in
        Guest::with(&[rule("egress", &json!({"protocol": 17, "port_range_min": 53, "port_range_max": 53}))])
    {
        let (first, later) = (udp(7, 53).fragment(9, 0, true), udp(7, 53).fragment(9, 5, false));
        assert!(!guest.sends(&later), "before the first");
        assert!(guest.sends(&first) && guest.sends(&later) && !guest.gets(&later.reply()));
        assert!(
            !guest.sends(&udp(7, 54).fragment(10, 0, true))
                && !guest.sends(&udp(7, 54).fragment(10, 5, false))
        );
        guest.switch.outlet.now = 31_000_000_000;
        assert!(!guest.sends(&later));
        let port = guest.port;
        let expected = [
            format!("{port} permit_no_rule 1"),
            format!("{port} permit_fragment 3"),
            format!("{port} admit_fragment 1"),
        ];
        assert_eq!(guest.drops(), expected);
    }
}

#[test]
fn routers_and_dhcp_servers_are_heard_and_a_guest_is_neither() {
    for mut guest in Guest::with(&[rule("egress", &json!({})), rule("egress", &json!({"ethertype": "IPv6"}))])
    {
        let message = |kind| Packet::new(1, 2, Body::Message(kind, 0, 0)).v6();
        for router in [134, 130] {
            assert!(guest.gets(&message(router).reply()) && !guest.sends(&message(router)));
        }
        assert!(guest.gets(&udp(68, 67).reply()) && !guest.sends(&udp(67, 68)));
        assert!(guest.gets(&udp(546, 547).v6().reply()) && !guest.sends(&udp(547, 546).v6()));
        let port = guest.port;
        let expected = [format!("{port} permit_from_router 2"), format!("{port} permit_from_dhcp_server 2")];
        assert_eq!(guest.drops(), expected);
    }
}

#[test]
fn a_guest_without_rules_still_asks_for_an_address_and_for_its_neighbours() {
    for mut guest in Guest::with(&[]) {
        assert!(guest.sends(&udp(68, 67)) && guest.sends(&udp(546, 547).v6()));
        for discovery in [133, 135, 136, 131, 143] {
            assert!(guest.sends(&Packet::new(1, 2, Body::Message(discovery, 0, 0)).v6()), "{discovery}");
        }
    }
}

#[test]
fn ip_behind_tags_of_the_guest_is_judged() {
    let scenario = Scenario::vm_and_peers().group("g", &[]).guarded("vm", &OWN, &["g"]);
    let mut switch = Switch::new(&scenario);
    for tags in [&[(DOT1Q, 7)][..], &[(0x88a8, 7), (DOT1Q, 8)], &[(0x9100, 7)]] {
        assert_eq!(switch.send("vm", &udp(1, 2).frame(PEER_A, VM, tags)), []);
    }
    let drops = switch.drops();
    assert_eq!(
        drops.iter().map(|((_, reason), count)| (reason.name(), *count)).collect::<Vec<_>>(),
        [("permit_no_rule", 3)]
    );
}

#[test]
fn a_header_that_is_cut_short_is_dropped_whatever_the_rules() {
    for mut guest in Guest::with(&[rule("egress", &json!({})), rule("ingress", &json!({}))]) {
        let whole = tcp(SYN).frame(guest.peer.1, guest.mac, guest.tags);
        let mut short = whole.clone();
        let ip = whole.len() - 20 - 24;
        // The packet ends within the TCP header.
        short[ip + 2..ip + 4].copy_from_slice(&35_u16.to_be_bytes());
        assert_eq!(guest.switch.send("vm", &short), []);
        assert_eq!(guest.drops(), [format!("{} permit_invalid 1", guest.port)]);
    }
}

#[test]
fn a_port_is_closed_while_a_group_of_it_is_missing_and_that_is_a_problem() {
    let all = [rule("egress", &json!({}))];
    let closed = Scenario::vm_and_peers().group("g", &all).guarded("vm", &OWN, &["g", "gone"]);
    let mut switch = Switch::new(&closed);
    let frame = udp(1, 2).frame(PEER_A, VM, &[]);
    assert_eq!(switch.send("vm", &frame), []);
    let problems = switch.problems();
    assert!(
        problems.iter().any(|problem| problem.contains("lport vm: waits for its security group gone")),
        "{problems:?}"
    );
    switch.follow(&closed.clone().group("gone", &[]));
    assert_eq!(switch.send("vm", &frame).len(), 1);
    assert_eq!(switch.problems(), [""; 0]);
    switch.follow(&closed);
    assert_eq!(switch.send("vm", &frame), [], "deleted while in use");
}

#[test]
fn a_rule_that_is_not_understood_allows_nothing_and_is_named() {
    let odd = rule(
        "egress",
        &json!({"id": "odd", "protocol": 17, "port_range_min": 70_000, "port_range_max": 70_001}),
    );
    let scenario = Scenario::vm_and_peers().group("g", &[odd, rule("egress", &json!({"protocol": 6}))]);
    let mut switch = Switch::new(&scenario.guarded("vm", &OWN, &["g"]));
    assert_eq!(switch.send("vm", &udp(1, 2).frame(PEER_A, VM, &[])), []);
    assert_eq!(switch.send("vm", &tcp(SYN).frame(PEER_A, VM, &[])).len(), 1);
    let problems = switch.problems();
    assert!(
        problems[0].contains("secgroup g: its rule odd allows nothing: field rules.port_range_min"),
        "{problems:?}"
    );
}

#[test]
fn a_removed_rule_stops_a_connection_at_once_and_another_rule_that_allows_it_keeps_it() {
    let (any, web) = (
        rule("egress", &json!({"protocol": 6})),
        rule("egress", &json!({"protocol": 6, "port_range_min": 80, "port_range_max": 80})),
    );
    let with = |rules: &[Value]| Scenario::vm_and_peers().group("g", rules).guarded("vm", &OWN, &["g"]);
    let mut switch = Switch::new(&with(&[any.clone(), web.clone()]));
    let from = |switch: &mut Switch, flags| switch.send("vm", &tcp(flags).frame(PEER_A, VM, &[])).len();
    let to =
        |switch: &mut Switch, flags| switch.send("peer-a", &tcp(flags).reply().frame(VM, PEER_A, &[])).len();
    assert_eq!((from(&mut switch, SYN), to(&mut switch, SYN | ACK), from(&mut switch, ACK)), (1, 1, 1));
    switch.follow(&with(std::slice::from_ref(&any)));
    assert_eq!((to(&mut switch, ACK), from(&mut switch, ACK)), (1, 1), "the other rule allows it");
    switch.follow(&with(&[]));
    assert_eq!((to(&mut switch, ACK), from(&mut switch, ACK)), (0, 0));
    switch.follow(&with(&[web]));
    assert_eq!((from(&mut switch, ACK), to(&mut switch, ACK)), (1, 1), "revived by the opener");
}

#[test]
fn a_guest_fills_its_own_quota_only() {
    let mut scenario = Scenario::vm_and_peers()
        .group("g", &[rule("egress", &json!({}))])
        .guarded("vm", &OWN, &["g"])
        .guarded("web", &OWN, &["g"]);
    scenario.quota = Some(3);
    let mut switch = Switch::new(&scenario);
    let passes = |switch: &mut Switch, port| switch.send("vm", &udp(port, 9).frame(PEER_A, VM, &[])).len();
    let sent: Vec<_> = (1..=5).map(|port| passes(&mut switch, port)).collect();
    assert_eq!(sent, [1, 1, 1, 0, 0]);
    assert_eq!(passes(&mut switch, 2), 1, "a connection that it has");
    let subport = udp(4, 9).frame(PEER_B, WEB, &[(DOT1Q, 100)]);
    assert_eq!(switch.send("vm", &subport).len(), 1, "its subport has a quota of its own");
    switch.outlet.now = 31_000_000_000;
    assert_eq!(passes(&mut switch, 5), 1, "the others are over");
    let drops = switch.drops();
    assert_eq!(
        drops.iter().map(|((_, reason), count)| (reason.name(), *count)).collect::<Vec<_>>(),
        [("permit_quota_full", 2)]
    );
}

#[test]
fn a_remote_group_is_the_addresses_of_its_ports_wherever_they_are() {
    let from_peers = rule("ingress", &json!({"remote_group_id": "peers"}));
    let scenario = Scenario::vm_and_peers()
        .group("g", &[from_peers])
        .group("peers", &[rule("egress", &json!({}))])
        .guarded("vm", &OWN, &["g"])
        .port("elsewhere", 50, "b", [2, 0, 0, 0, 0, 0x50]);
    let mut switch = Switch::new(&scenario);
    let gets = |switch: &mut Switch| switch.send("peer-a", &udp(9, 9).reply().frame(VM, PEER_A, &[])).len();
    assert_eq!(gets(&mut switch), 0);
    // A port of another network, on another host.
    let joined = scenario.clone().guarded("elsewhere", &["10.0.0.2"], &["peers"]);
    switch.follow(&joined);
    assert_eq!(gets(&mut switch), 1);
    switch.follow(&scenario);
    assert_eq!(gets(&mut switch), 0, "it has left");
    assert_eq!(switch.problems(), [""; 0]);
    let mut missing = scenario;
    missing.groups.remove("peers");
    switch.follow(&missing);
    assert_eq!(gets(&mut switch), 0);
    assert!(switch.problems()[0].contains("secgroup peers: is the remote group of a rule in use"));
}

#[test]
fn a_stateless_group_remembers_nothing() {
    let mut scenario = Scenario::vm_and_peers()
        .group("g", &[rule("egress", &json!({"protocol": 6}))])
        .guarded("vm", &OWN, &["g"]);
    scenario.stateless.insert("g".to_owned());
    let mut switch = Switch::new(&scenario);
    let from = |switch: &mut Switch, flags| switch.send("vm", &tcp(flags).frame(PEER_A, VM, &[])).len();
    let to =
        |switch: &mut Switch| switch.send("peer-a", &tcp(SYN | ACK).reply().frame(VM, PEER_A, &[])).len();
    assert_eq!((from(&mut switch, SYN), to(&mut switch)), (1, 0));
    let answers = rule("ingress", &json!({"protocol": 6}));
    switch.follow(&scenario.group("g", &[rule("egress", &json!({"protocol": 6})), answers]));
    assert_eq!((to(&mut switch), from(&mut switch, ACK)), (1, 1));
}
