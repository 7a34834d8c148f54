//! A round of all disturbances.

use std::thread::scope;

use trunkpath::nb::{Op, Table, segmentation_id};

use testkit::churn::Churn;
use testkit::churn_ports::ChurnPorts;
use testkit::frame::{BROADCAST, Frame};
use testkit::nb_servers::NbServers;
use testkit::noise::Noise;
use testkit::records;
use testkit::testbed::{Port, Testbed};
use testkit::wait::until;

use super::guarded::{Guarded, restoration, wait_for_no_connections};

/// Number of each kind of change in a round.
const LINK_CHANGES: usize = 60;
const RECORD_CHANGES: usize = 40;
const GROUP_CHANGES: usize = 40;
const STORM: usize = 100_000;

/// Flood rate, so low that most of a storm exceeds it.
const FLOOD_RATE: &str = "2000";

/// Failure of the server of the NB DB.
type Break = fn(&mut NbServers);

/// Guests, and the changes to their links.
#[derive(Debug)]
pub struct Soak {
    ports: ChurnPorts,
    guarded: Guarded,
    churn: Churn,
    /// Frames of the changed links, and packets of guarded ports.
    noise: Option<[Noise; 2]>,
    /// Two guests with a network of their own, where a flood of the first is one frame to the second.
    stormy: Port,
    victim: Port,
    /// Ports that are subports from time to time, of a guest whose link does not change.
    spares: Vec<Port>,
    random: fastrand::Rng,
    rounds: usize,
}

impl Soak {
    /// Adds all guests and starts the daemon.
    pub fn start(testbed: &mut Testbed) -> Self {
        let ports = ChurnPorts::new(testbed);
        let (three, four) = (testbed.network(), testbed.network());
        let (stormy, victim) = (testbed.guest("stormy", three), testbed.guest("victim", three));
        let spares = (0..8).map(|number| testbed.spare_port(&ports.beside, 200 + number, four)).collect();
        let mut guarded = Guarded::new(testbed);
        testbed.arguments.extend(["--flood-rate", FLOOD_RATE].map(str::to_owned));
        testbed.start();
        guarded.guard(testbed);
        let (churn, random) = (Churn::new(testbed, &ports.churned), fastrand::Rng::new());
        Self { ports, guarded, churn, noise: None, stormy, victim, spares, random, rounds: 0 }
    }

    /// Changes links and records while one guest floods and the DB is unreachable for half of the time. No
    /// frame between the steady guests is lost. Returns the kind of failure.
    pub fn round(&mut self, testbed: &Testbed, servers: &mut NbServers) -> &'static str {
        let start = || [self.ports.noise(testbed, false), self.guarded.noise(testbed)];
        let noise = self.noise.take().unwrap_or_else(start);
        let [links, _] = &noise;
        self.rounds += 1;
        let frozen = self.rounds.is_multiple_of(2);
        let (leaves, returns): (Break, Break) =
            if frozen { (|it| it.freeze(0), |it| it.thaw(0)) } else { (|it| it.kill(0), |it| it.run(0)) };
        let changes = [self.changes(), self.changes()];
        let (churn, storm) = (&mut self.churn, [BROADCAST, [2, 0xde, 0xad, 0, 0, 1]]);
        let storm = storm.map(|to| Frame::new(self.stormy.mac, to).bytes());
        let sender = testbed.sender(&self.stormy);
        let work = || {
            scope(|scope| {
                scope.spawn(|| {
                    for number in 0..STORM {
                        sender.offer(&storm[number % 2]);
                    }
                });
                let [first, second] = changes;
                servers.write(first);
                leaves(servers);
                churn.operate(testbed, links, LINK_CHANGES / 2);
                returns(servers);
                servers.write(second);
                churn.operate(testbed, links, LINK_CHANGES / 2);
                churn.settle(testbed);
            });
            testbed.daemon().wait_for_nb("followed");
            until("no drift", || testbed.daemon().show("drift")?.as_array()?.is_empty().then_some(()));
        };
        self.ports.undisturbed_by(testbed, || self.guarded.undisturbed_by(testbed, work));
        testbed.capture(&self.victim).forget();
        self.noise = Some(noise);
        if frozen { "frozen" } else { "killed" }
    }

    /// Restores all links and security groups, removes the segmentations of spare ports, and stops the traffic, so
    /// that connections end.
    pub fn restore(&mut self, testbed: &mut Testbed, servers: &NbServers) {
        if let Some([links, _guarded]) = self.noise.take() {
            self.churn.restore(testbed, &links);
        }
        // Its storms also reach its own capture, which is too slow for them and is not checked.
        testbed.recapture(&self.stormy);
        servers.write(self.spares.iter().map(|spare| self.removal(spare)).collect());
        servers.write(restoration());
        testbed.wait_until_all_up();
        wait_for_no_connections(testbed);
    }

    fn changes(&mut self) -> Vec<Op> {
        let subports = (0..RECORD_CHANGES / 2).map(|_| self.change()).collect::<Vec<_>>();
        let groups = (0..GROUP_CHANGES / 2).map(|_| self.guarded.change(&mut self.random));
        let mut changes: Vec<Op> = subports.into_iter().chain(groups).collect();
        self.random.shuffle(&mut changes);
        changes
    }

    /// A change that makes a spare port a subport, changes its VID, or makes it spare again.
    fn change(&mut self) -> Op {
        let (parent, spare) = (&self.ports.beside, &self.spares[self.random.usize(..self.spares.len())]);
        if self.random.u8(..3) == 0 {
            return self.removal(spare);
        }
        // Each port has VIDs of its own: two claims of the same one would be a problem.
        let vid = 200 + u16::try_from(spare.key).unwrap() * 10 + self.random.u16(..10);
        let mut line = records::segmentation(parent.key, spare.key, vid);
        Op::Put { table: Table::ChildPortSegmentation, json: line["record"].take() }
    }

    fn removal(&self, spare: &Port) -> Op {
        let id = segmentation_id(&self.ports.beside.id(), &spare.id());
        Op::Delete { table: Table::ChildPortSegmentation, id }
    }
}
