//! Many endpoints, and a storm of changed routes.

use std::fs;
use std::time::{Duration, Instant};

use super::testbed::{LOCAL, on_testbed};

/// The time that the thread of the resolver has run, since `before`.
fn cpu_time_since(before: Duration) -> Duration {
    for task in fs::read_dir("/proc/self/task").unwrap().flatten() {
        if fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name == "underlay\n") {
            let statistics = fs::read_to_string(task.path().join("schedstat")).unwrap();
            let total = Duration::from_nanos(statistics.split(' ').next().unwrap().parse().unwrap());
            return total.checked_sub(before).unwrap();
        }
    }
    panic!("the thread of the resolver runs");
}

#[test]
fn a_storm_takes_a_share_of_a_cpu_and_its_last_route_counts() {
    on_testbed("a_storm_takes_a_share_of_a_cpu_and_its_last_route_counts", |testbed| {
        testbed.host.ip("route add 10.0.0.0/8 via 192.0.2.254");
        let remotes: Vec<_> =
            (0..1000).map(|number| format!("10.1.{}.{}", number / 250, number % 250 + 1)).collect();
        let remotes: Vec<_> = remotes.iter().map(String::as_str).collect();
        let start = cpu_time_since(Duration::ZERO);
        testbed.set_endpoints(LOCAL, &remotes);
        let first = testbed.ifindex("u1");
        for remote in &remotes {
            testbed.settle(remote, first);
        }
        let round = cpu_time_since(start);
        println!("first results of {} endpoints: {round:?} of CPU time", remotes.len());

        let (start, began) = (cpu_time_since(Duration::ZERO), Instant::now());
        for _ in 0..20 {
            let lines: Vec<_> = (0..200)
                .map(|number| {
                    let action = if number % 2 == 0 { "add" } else { "del" };
                    format!("route {action} 10.200.0.0/16 via 198.51.100.254")
                })
                .collect();
            testbed.host.ip_batch(&lines);
            std::thread::sleep(Duration::from_millis(50));
        }
        testbed.host.ip("route replace 10.0.0.0/8 via 198.51.100.254");
        let (storm, elapsed) = (cpu_time_since(start), began.elapsed());
        println!("4,000 changed routes in {elapsed:?}: {storm:?} of CPU time");
        // A round at the start, then a tenth of the time; and the announcements are read.
        assert!(storm < 2 * round + elapsed / 5, "{storm:?} of {elapsed:?}");
        let second = testbed.ifindex("u2");
        for remote in &remotes {
            testbed.settle(remote, second);
        }

        let start = cpu_time_since(Duration::ZERO);
        std::thread::sleep(Duration::from_secs(3));
        let idle = cpu_time_since(start);
        println!("3 s without changes: {idle:?} of CPU time");
        // Each endpoint is examined twice, with half the requests of a round; one more round may be due.
        assert!(idle < 4 * round, "{idle:?}, a round takes {round:?}");
    });
}
