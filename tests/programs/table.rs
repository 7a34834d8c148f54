//! The programs: how a server and its client are started, the rules that they need, and what shows success.
//!
//! Commands are lines for `sh`. In them, `{files}` is a folder with `hello` (which contains `passed`), keys and
//! a certificate.

/// What a rule allows besides its direction and remote group.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    pub ethertype: &'static str,
    pub protocol: u8,
    /// Minimum and maximum; none for ICMP.
    pub ports: Option<(u16, u16)>,
}

const fn allowed(ethertype: &'static str, protocol: u8, min: u16, max: u16) -> Allowed {
    Allowed { ethertype, protocol, ports: Some((min, max)) }
}

const fn tcp(port: u16) -> Allowed {
    allowed("IPv4", 6, port, port)
}

const fn tcp6(port: u16) -> Allowed {
    allowed("IPv6", 6, port, port)
}

/// The ports of `traceroute`, one for each probe.
const fn probes(ethertype: &'static str) -> Allowed {
    allowed(ethertype, 17, 33434, 33534)
}

/// A program that is run on two machines, with numbers of its own for ports.
#[derive(Debug)]
pub struct Program {
    pub name: &'static str,
    /// None if the kernel answers.
    pub server: Option<&'static str>,
    /// Whether the server runs behind the router.
    pub is_behind: bool,
    pub client: &'static str,
    pub rules: &'static [Allowed],
    /// Rules that are in force even while `rules` are removed.
    pub always: &'static [Allowed],
    /// Parts of what the client prints if all works.
    pub prints: &'static [&'static str],
    /// Part of what the client prints with `always` only.
    pub prints_blocked: &'static str,
}

const DEFAULT: Program = Program {
    name: "",
    server: None,
    is_behind: false,
    client: "",
    rules: &[],
    always: &[],
    prints: &[],
    prints_blocked: "",
};

pub const SSH: Program = Program {
    name: "ssh",
    // sshd requires this folder, which Debian's service makes.
    server: Some(
        "mkdir -p /run/sshd && exec /usr/sbin/sshd -D -e -f none -p 22 -h {files}/host-key -o UsePAM=no \
         -o AuthorizedKeysFile={files}/key.pub -o StrictModes=no",
    ),
    client: "ssh -F none -i {files}/key -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
             -o BatchMode=yes root@10.1.0.2 cat {files}/hello",
    rules: &[tcp(22)],
    prints: &["passed"],
    ..DEFAULT
};

pub const CURL: Program = Program {
    name: "curl",
    server: Some("exec python3 -m http.server --bind fd01::2 --directory {files} 8080"),
    client: "curl -s http://[fd01::2]:8080/hello",
    rules: &[tcp6(8080)],
    prints: &["passed"],
    ..DEFAULT
};

/// While those at even places are allowed, those at odd places are not.
pub const ALL: [Program; 14] = [
    SSH,
    CURL,
    Program {
        name: "iperf3 with TCP",
        server: Some("exec iperf3 -s -B 10.1.0.2 -p 5201"),
        client: "iperf3 -c 10.1.0.2 -p 5201 -n 1M",
        rules: &[tcp(5201)],
        prints: &["iperf Done."],
        ..DEFAULT
    },
    Program {
        name: "iperf3 with UDP",
        server: Some("exec iperf3 -s -B fd01::2 -p 5202"),
        client: "iperf3 -c fd01::2 -p 5202 -u -b 2M -n 100K",
        // It opens a TCP connection to the same port first.
        always: &[tcp6(5202)],
        rules: &[allowed("IPv6", 17, 5202, 5202)],
        prints: &["iperf Done."],
        ..DEFAULT
    },
    Program {
        name: "ping",
        client: "ping -n -c 3 -i 0.1 10.1.0.2",
        rules: &[Allowed { ethertype: "IPv4", protocol: 1, ports: None }],
        prints: &[" 0% packet loss"],
        ..DEFAULT
    },
    Program {
        name: "ping -6, in fragments",
        client: "ping -n -c 3 -i 0.1 -s 3000 fd01::2",
        rules: &[Allowed { ethertype: "IPv6", protocol: 58, ports: None }],
        prints: &[" 0% packet loss"],
        ..DEFAULT
    },
    // The answers to these two are ICMP errors, for which there is no rule.
    Program {
        name: "traceroute",
        client: "traceroute -n -q 1 -w 1 -m 3 10.2.0.2",
        rules: &[probes("IPv4")],
        prints: &[" 1  10.1.0.2 ", " 2  10.2.0.2 "],
        ..DEFAULT
    },
    Program {
        name: "traceroute -6",
        client: "traceroute -n -q 1 -w 1 -m 3 fd02::2",
        rules: &[probes("IPv6")],
        prints: &[" 1  fd01::2 ", " 2  fd02::2 "],
        ..DEFAULT
    },
    // Longer packets than 1280 bytes pass no further than the router.
    Program {
        name: "PMTU discovery",
        server: Some("exec iperf3 -s -B 10.2.0.3 -p 5203"),
        is_behind: true,
        client: "iperf3 -c 10.2.0.3 -p 5203 -n 100K && ip route get 10.2.0.3",
        rules: &[tcp(5203)],
        prints: &["iperf Done.", " mtu 1280"],
        ..DEFAULT
    },
    Program {
        name: "PMTU discovery of IPv6",
        server: Some("exec iperf3 -s -B fd02::3 -p 5204"),
        is_behind: true,
        client: "iperf3 -c fd02::3 -p 5204 -n 100K && ip route get fd02::3",
        rules: &[tcp6(5204)],
        prints: &["iperf Done.", " mtu 1280"],
        ..DEFAULT
    },
    Program {
        name: "passive FTP",
        // Debian's module belongs to Debian's interpreter.
        server: Some("exec /usr/bin/python3 -m pyftpdlib -i 10.1.0.2 -p 2121 -r 30021-30021 -d {files}"),
        client: "curl -sv ftp://10.1.0.2:2121/hello",
        always: &[tcp(2121)],
        // No helper reads the port of the data connection from the control connection.
        rules: &[tcp(30021)],
        prints: &["passed"],
        prints_blocked: "229 Entering extended passive mode (|||30021|)",
        ..DEFAULT
    },
    Program {
        name: "passive FTP of IPv6",
        server: Some("exec /usr/bin/python3 -m pyftpdlib -i fd01::2 -p 2122 -r 30022-30022 -d {files}"),
        client: "curl -sv ftp://[fd01::2]:2122/hello",
        always: &[tcp6(2122)],
        rules: &[tcp6(30022)],
        prints: &["passed"],
        prints_blocked: "229 Entering extended passive mode (|||30022|)",
        ..DEFAULT
    },
    Program {
        name: "QUIC",
        // The ngtcp2 programs of Debian.
        server: Some("exec gtlsserver -q -d {files} 10.1.0.2 4433 {files}/tls-key {files}/tls-cert"),
        client: "gtlsclient --exit-on-all-streams-close 10.1.0.2 4433 https://10.1.0.2/hello",
        rules: &[allowed("IPv4", 17, 4433, 4433)],
        prints: &["|passed"],
        ..DEFAULT
    },
    Program {
        name: "SCTP",
        // In user space: the kernel may have no SCTP. Bound, so that it does not answer from fd02::1 or 10.2.0.1.
        server: Some("exec /usr/lib/usrsctp/tsctp -L 10.1.0.2"),
        // It pauses before it ends, and would keep its output until then.
        client: "stdbuf -oL /usr/lib/usrsctp/tsctp -n 3 -l 100 10.1.0.2",
        rules: &[allowed("IPv4", 132, 5001, 5001)],
        prints: &["Throughput was"],
        ..DEFAULT
    },
];
