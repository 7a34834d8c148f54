//! Links of guests that come, go and change, in an order that a seed gives.

use std::collections::BTreeMap;
use std::thread::panicking;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::command::succeed;
use crate::netns::Netns;
use crate::noise::Noise;
use crate::records;
use crate::testbed::{Port, Testbed};
use crate::wait::until;

/// Operations while the daemon stands still. What it does not take meanwhile must find room in its rings.
const STANDSTILL: usize = 10;
/// One operation in so many begins one.
const STANDSTILLS: usize = 30;

/// Operations that are shown when it ends badly.
const SHOWN: usize = 80;

/// What may be done to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Make,
    Delete,
    /// Delete it, and at once make another one under its name.
    Replace,
    Rename,
    MoveAway,
    MoveBack,
    /// Turn the host's end off, or on again.
    Switch,
    /// The same with the guest's end.
    SwitchPeer,
    ChangeMtu,
    /// More of them: the kernel takes none away that has a socket.
    AddQueue,
}

/// RX and TX queues that a link is made with, not all of which it uses later.
pub const MOST_QUEUES: u32 = 3;

/// Where the host's end of a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    Host,
    Elsewhere,
}

/// The link of a guest, as it should be now.
#[derive(Debug)]
struct Link {
    port: Port,
    /// The first is the one that it has in the end.
    names: [String; 2],
    /// Which of them it has.
    name: usize,
    place: Place,
    up: bool,
    peer_up: bool,
    queues: u32,
}

/// See the module.
#[derive(Debug)]
pub struct Churn {
    random: fastrand::Rng,
    seed: u64,
    links: Vec<Link>,
    elsewhere: Netns,
    /// What was done, for when it ends badly.
    history: Vec<String>,
}

impl Churn {
    /// Of the links of these guests, which are as [`Testbed::guest`] made them, with [`MOST_QUEUES`].
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

    /// Does so many operations, some of them while the daemon stands still.
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

    /// Waits until the daemon serves exactly the ports whose links are there and on, by these, with all their queues.
    pub fn settle(&self, testbed: &Testbed) {
        let expected: BTreeMap<_, _> =
            self.links.iter().map(|link| (link.port.id(), link.served())).collect();
        until(&format!("ports that are served as {expected:#?}"), || {
            let ports = testbed.daemon().show("ports")?;
            let fits = |(id, expected): (&String, &Option<(String, u64)>)| {
                let row = ports.as_array()?.iter().find(|row| row["lport"] == id.as_str())?;
                let served = (row["state"] == "up").then(|| {
                    (row["device"].as_str().unwrap_or("?").to_owned(), row["queues"].as_u64().unwrap_or(0))
                });
                (served == *expected).then_some(())
            };
            expected.iter().all(|port| fits(port).is_some()).then_some(())
        });
    }

    /// Makes all links as they were in the beginning, and waits until they are served.
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
            // A veth with another number of queues claims a carrier, though its other end is off.
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
            // At no time may the guest send by more queues than we receive by.
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

    /// Both ends use so many queues.
    fn set_queues(&mut self, testbed: &Testbed, queues: u32) {
        let count = queues.to_string();
        for (netns, dev) in [(&testbed.host, self.name()), (testbed.netns(&self.port), "eth0")] {
            succeed(netns.command("ethtool").args(["-L", dev, "rx", &count, "tx", &count]), "");
        }
        self.queues = queues;
    }

    /// The device and the number of queues that the port is to be served by, if it is.
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
