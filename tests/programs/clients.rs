//! Runs of clients while rules come and go.

use std::thread;

use testkit::command::output;
use testkit::wait::until;

use super::place::Place;
use super::servers::Servers;
use super::table::{ALL, Program};

/// Seconds after which a client is ended that must work; it is run again.
const PATIENT_SECS: &str = "5";
/// Seconds in which a client that works does so for certain on an idle machine; one without its rules is ended.
const MISSED_SECS: &str = "1";

/// Allows the programs at even places, then those at odd places, then one of the latter: a program works with
/// its rules, and not before them or after them.
pub fn follow_their_rules(place: &Place, servers: &Servers) {
    let rounds: [fn(usize) -> bool; 3] = [|at| at % 2 == 0, |at| at % 2 == 1, |at| at == 1];
    for is_allowed in rounds {
        let numbered = ALL.iter().enumerate();
        let (on, off): (Vec<_>, Vec<_>) = numbered.partition(|(at, _)| is_allowed(*at));
        let rules = on.iter().flat_map(|(_, program)| program.rules);
        let always = ALL.iter().flat_map(|program| program.always);
        place.allow(&rules.chain(always).copied().collect::<Vec<_>>());
        at_once(&on, |program| {
            until(&format!("{} with its rules", program.name), || {
                works(place, servers, program).then_some(())
            });
        });
        // A program has worked, so the rules are in force.
        at_once(&off, |program| {
            let printed = run(place, servers, program, MISSED_SECS);
            assert!(!shows_any(program, &printed), "{} without its rules: {printed}", program.name);
            assert!(printed.contains(program.prints_blocked), "{}: {printed}", program.name);
        });
    }
}

/// Whether the program works at this attempt.
pub fn works(place: &Place, servers: &Servers, program: &Program) -> bool {
    let printed = run(place, servers, program, PATIENT_SECS);
    program.prints.iter().all(|part| printed.contains(part))
}

/// Whether it does not work at all.
pub fn is_stopped(place: &Place, servers: &Servers, program: &Program) -> bool {
    !shows_any(program, &run(place, servers, program, MISSED_SECS))
}

fn shows_any(program: &Program, printed: &str) -> bool {
    program.prints.iter().any(|part| printed.contains(part))
}

fn at_once(programs: &[(usize, &Program)], work: impl Fn(&Program) + Sync) {
    thread::scope(|scope| {
        for (_, program) in programs {
            scope.spawn(|| work(program));
        }
    });
}

/// Output of a client, with its errors.
fn run(place: &Place, servers: &Servers, program: &Program, limit_secs: &str) -> String {
    let mut command = place.client.command("timeout");
    command.args(["-s", "KILL", limit_secs, "sh", "-c", &servers.complete(program.client)]);
    let output = output(&mut command, "");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
