//! Random changes to the links of guests: created, deleted, renamed, moved, switched off. A seed repeats the
//! order.

use std::collections::BTreeMap;
use std::thread::panicking;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::command::succeed;
use crate::netns::Netns;
use crate::noise::Noise;
use crate::records;
use crate::testbed::{Port, Testbed};
use crate::wait::until;

/// Operations while the daemon is stopped. Its netlink socket has room for the events of so many.
const STANDSTILL: usize = 10;
/// One operation in this many is done while the daemon is stopped.
const STANDSTILLS: usize = 30;

/// Operations that are printed when a test fails.
const SHOWN: usize = 80;

/// A change of a guest's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Make,
    Delete,
    /// Deletes the link and creates another one with its name at once.
    Replace,
    Rename,
    MoveAway,
    MoveBack,
    /// Toggles the admin state of the end on the host.
    Switch,
    /// Toggles the admin state of the end at the guest.
    SwitchPeer,
    ChangeMtu,
    /// One queue more. The kernel removes no queue that has a socket.
    AddQueue,
}

/// RX and TX queues that a link is created with. Fewer may be in use later.
pub const MOST_QUEUES: u32 = 3;

/// Namespace of the end of a link that belongs to the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    Host,
    Elsewhere,
}

/// Expected state of a guest's link.
#[derive(Debug)]
struct Link {
    port: Port,
    /// Its two names; the first one is restored in the end.
    names: [String; 2],
    /// Index of its present name.
    name: usize,
    place: Place,
    up: bool,
    peer_up: bool,
    queues: u32,
}

/// Random changes of links; [`Churn::operate`] makes them.
#[derive(Debug)]
pub struct Churn {
    random: fastrand::Rng,
    seed: u64,
    links: Vec<Link>,
    elsewhere: Netns,
    /// All operations so far, printed when a test fails.
    history: Vec<String>,
}

impl Churn {
    /// For the links of these guests, which [`Testbed::guest`] made with [`MOST_QUEUES`] queues.
    /// `TRUNKPATH_SEED` repeats an order.
    pub fn new(testbed: &Testbed, ports: &[Port]) -> Self {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = std::env::var("TRUNKPATH_SEED").map(|seed| seed.parse().unwrap());
        let seed = seed.unwrap_or(u64::try_from(clock.as_micros()).unwrap());
        println!("TRUNKPATH_SEED={seed}");
        let link = |port: &Port| {
            let name = testbed.dev(port);
            let names = [name.to_owned(), format!("{name}-too")];
            let (port, place) = (port.clone(), Place::Host);
            Link { port, names, name: 0, place, up: true, peer_up: true, queues: MOST_QUEUES }
        };
        let links = ports.iter().map(link).collect();
        let random = fastrand::Rng::with_seed(seed);
        Self { random, seed, links, elsewhere: Netns::new("elsewhere"), history: vec![] }
    }

    /// Makes `operations` changes, some of them while the daemon is stopped.
    pub fn operate(&mut self, testbed: &Testbed, noise: &Noise, operations: usize) {
        let mut left = operations;
        while left > 0 {
            if self.random.usize(..STANDSTILLS) == 0 {
                let burst = left.min(STANDSTILL);
                self.history.push(format!("{burst} while the daemon stands still"));
                testbed.daemon().while_stopped(|| (0..burst).for_each(|_| self.operate_once(testbed, noise)));
                left -= burst;
            } else {
                self.operate_once(testbed, noise);
                left -= 1;
            }
        }
    }

    fn operate_once(&mut self, testbed: &Testbed, noise: &Noise) {
        let index = self.random.usize(..self.links.len());
        let link = &mut self.links[index];
        let operation = link.possible()[self.random.usize(..link.possible().len())];
        link.operate(operation, testbed, &self.elsewhere, &mut self.random);
        self.history.push(format!("{operation:?}: {link}"));
        if matches!(operation, Operation::Make | Operation::Replace) {
            noise.reopen(testbed, &link.port);
        }
    }

    /// Waits until the daemon serves exactly the ports whose links are on the host and up, by these links and
    /// all their queues.
    pub fn settle(&self, testbed: &Testbed) {
        let expected: BTreeMap<_, _> =
            self.links.iter().map(|link| (link.port.id(), link.served())).collect();
        until(&format!("ports that are served as {expected:#?}"), || {
            let ports = testbed.daemon().show("ports")?;
            let fits = |(id, expected): (&String, &Option<(String, u64)>)| {
                let row = ports.as_array()?.iter().find(|row| row["lport"] == id.as_str())?;
                let served = (row["state"] == "up").then(|| {
                    (row["link"].as_str().unwrap_or("?").to_owned(), row["queues"].as_u64().unwrap_or(0))
                });
                (served == *expected).then_some(())
            };
            expected.iter().all(|port| fits(port).is_some()).then_some(())
        });
    }

    /// Restores all links as [`Churn::new`] found them, and waits until they are served.
    pub fn restore(&mut self, testbed: &mut Testbed, noise: &Noise) {
        self.history.push("all as it was".to_owned());
        for link in &mut self.links {
            link.delete(testbed, &self.elsewhere);
            link.name = 0;
            link.make(testbed, MOST_QUEUES);
            noise.reopen(testbed, &link.port);
            testbed.recapture(&link.port);
        }
        self.settle(testbed);
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        if panicking() {
            eprintln!("--- TRUNKPATH_SEED={}, {} operations; the last ones", self.seed, self.history.len());
            let last = self.history.len().saturating_sub(SHOWN);
            self.history[last..].iter().for_each(|line| eprintln!("{line}"));
        }
    }
}

impl Link {
    fn possible(&self) -> &'static [Operation] {
        use Operation::{
            AddQueue, ChangeMtu, Delete, Make, MoveAway, MoveBack, Rename, Replace, Switch, SwitchPeer,
        };
        match self.place {
            Place::Nowhere => &[Make],
            Place::Elsewhere => &[MoveBack, MoveBack, Delete],
            // A veth whose number of queues changes reports a carrier, even with its peer down.
            Place::Host if self.queues < MOST_QUEUES && self.up && self.peer_up => {
                &[Delete, Replace, Rename, MoveAway, Switch, Switch, SwitchPeer, ChangeMtu, AddQueue]
            }
            Place::Host => &[Delete, Replace, Rename, MoveAway, Switch, Switch, SwitchPeer, ChangeMtu],
        }
    }

    fn operate(
        &mut self,
        operation: Operation,
        testbed: &Testbed,
        elsewhere: &Netns,
        random: &mut fastrand::Rng,
    ) {
        match operation {
            Operation::Make | Operation::Replace => {
                self.delete(testbed, elsewhere);
                if operation == Operation::Make {
                    self.name = random.usize(..2);
                }
                self.make(testbed, random.u32(1..=MOST_QUEUES));
            }
            Operation::Delete => self.delete(testbed, elsewhere),
            Operation::Rename => {
                let old = self.name().to_owned();
                self.name = 1 - self.name;
                testbed.host.ip(&format!("link set dev {old} name {}", self.name()));
            }
            Operation::MoveAway => {
                testbed.host.ip(&format!("link set dev {} netns {}", self.name(), elsewhere.name()));
                (self.place, self.up) = (Place::Elsewhere, false);
            }
            Operation::MoveBack => {
                elsewhere.ip(&format!("link set dev {} netns {}", self.name(), testbed.host.name()));
                testbed.host.ip(&format!("link set dev {} up", self.name()));
                (self.place, self.up) = (Place::Host, true);
            }
            Operation::Switch => {
                self.up = !self.up;
                testbed.host.ip(&format!("link set dev {} {}", self.name(), on_or_off(self.up)));
            }
            Operation::SwitchPeer => {
                self.peer_up = !self.peer_up;
                testbed.netns(&self.port).ip(&format!("link set dev eth0 {}", on_or_off(self.peer_up)));
            }
            Operation::ChangeMtu => {
                let mtu = random.choice([1280, 1400, 1500]).unwrap();
                testbed.host.ip(&format!("link set dev {} mtu {mtu}", self.name()));
            }
            // The guest must never use more TX queues than the host's end has RX queues.
            Operation::AddQueue => self.set_queues(testbed, self.queues + 1),
        }
    }

    fn make(&mut self, testbed: &Testbed, queues: u32) {
        let most = format!("numrxqueues {MOST_QUEUES} numtxqueues {MOST_QUEUES}");
        let (name, guest) = (self.name().to_owned(), testbed.netns(&self.port));
        testbed.host.ip(&format!(
            "link add name {name} {most} type veth peer name eth0 address {} {most} netns {}",
            records::text(self.port.mac),
            guest.name()
        ));
        self.set_queues(testbed, queues);
        testbed.host.ip_batch(&[
            format!("link set dev {name} alias {}", self.port.id()),
            format!("link set dev {name} up"),
        ]);
        guest.ip("link set dev eth0 up");
        (self.place, self.up, self.peer_up) = (Place::Host, true, true);
    }

    fn delete(&mut self, testbed: &Testbed, elsewhere: &Netns) {
        let delete = format!("link delete dev {}", self.name());
        match self.place {
            Place::Nowhere => return,
            Place::Host => testbed.host.ip(&delete),
            Place::Elsewhere => elsewhere.ip(&delete),
        };
        (self.place, self.up) = (Place::Nowhere, false);
    }

    /// Sets the number of queues in use on both ends.
    fn set_queues(&mut self, testbed: &Testbed, queues: u32) {
        let count = queues.to_string();
        for (netns, dev) in [(&testbed.host, self.name()), (testbed.netns(&self.port), "eth0")] {
            succeed(netns.command("ethtool").args(["-L", dev, "rx", &count, "tx", &count]), "");
        }
        self.queues = queues;
    }

    /// Link name and number of queues by which the port should be served; `None` if it should be down.
    fn served(&self) -> Option<(String, u64)> {
        let on = self.place == Place::Host && self.up && self.peer_up;
        on.then(|| (self.name().to_owned(), self.queues.into()))
    }

    fn name(&self) -> &str {
        &self.names[self.name]
    }
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, place, queues) = (self.name(), self.place, self.queues);
        write!(f, "{name} {place:?}, {queues} queues, ends {} and ", on_or_off(self.up))?;
        f.write_str(on_or_off(self.peer_up))
    }
}

const fn on_or_off(is_on: bool) -> &'static str {
    if is_on { "up" } else { "down" }
}
