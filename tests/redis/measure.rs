//! Figures, not checks: `cargo test --release --test redis measure -- --ignored --nocapture`.

use std::time::Instant;

use super::*;

const PARENTS: usize = 1000;
const SUBPORTS: usize = 50;

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// 100,000 records and as many more: each subport is a port and a segmentation.
fn fill(server: &Server) {
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    for parent in 0..PARENTS {
        let mut pipe = redis::pipe();
        for child in 0..SUBPORTS {
            let (port, key) =
                (format!("port-{parent}-{child}-0000-0000-000000000000"), parent * SUBPORTS + child + 1);
            let text = json!({"id": port, "topic": "t", "lswitch": "n", "name": "subport", "unique_key": key,
                "enabled": true, "macs": ["fa:16:3e:00:01:68"], "ips": ["192.168.18.3"], "version": 2});
            pipe.set(format!("{{lport.t}}{port}"), text.to_string()).ignore();
            let id = format!("segmentation-{parent}-{child}");
            let text = json!({"id": id, "parent": format!("parent-{parent}"), "port": port, "topic": "t",
                "segmentation_type": "vlan", "segmentation_id": child + 1});
            pipe.set(format!("{{child_port_segmentation.t}}{id}"), text.to_string()).ignore();
        }
        pipe.exec(&mut connection).unwrap();
    }
    server.does::<()>(&["SET", "{unique_key.}lport", &(PARENTS * SUBPORTS).to_string()]);
}

#[tokio::test]
#[ignore = "it measures"]
async fn measure() {
    let server = Server::notifying();
    fill(&server);
    let db = open(&server.url()).await;
    let started = Instant::now();
    let view = db.snapshot().await.unwrap();
    println!("snapshot of {} records: {:.0} ms", view.records.len(), ms(started));
    let mut changes = db.watch(view.revision);
    let confirmed = db.confirmed();
    let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut write = |id: &str, name: String| {
        let mut command = redis::cmd("SET");
        command.arg(format!("{{lport.t}}{id}")).arg(lport_text(id, &name)).exec(&mut connection).unwrap();
    };
    // The first changes come by re-reading.
    let started = Instant::now();
    write("p", "first".to_owned());
    changes.next().await.unwrap().unwrap();
    assert!(db.confirmed() > confirmed);
    println!("re-reading all, and the difference: {:.0} ms", ms(started));

    let mut times = Vec::new();
    for round in 0..1000 {
        let started = Instant::now();
        write("p", round.to_string());
        changes.next().await.unwrap().unwrap();
        times.push(ms(started));
    }
    times.sort_by(f64::total_cmp);
    println!("one change, SET to delivered: p50 {:.2} ms, p99 {:.2} ms", times[500], times[990]);

    let started = Instant::now();
    for index in 0..10_000 {
        write(&format!("burst{index}"), "b".to_owned());
    }
    let (written, mut count) = (ms(started), 0);
    while count < 10_000 {
        count += changes.next().await.unwrap().unwrap().changes.len();
    }
    println!("10000 changes, written in {written:.0} ms: delivered after {:.0} ms", ms(started));

    let segmentation = Op::Put {
        table: Table::ChildPortSegmentation,
        json: json!({"parent": "q", "port": "p", "topic": "t", "segmentation_type": "vlan", "segmentation_id": 1}),
    };
    let there = "port-7-7-0000-0000-000000000000";
    for (what, op) in [
        ("port that is there", lport(there, "a")),
        ("new port", lport("q", "a")),
        ("new segmentation", segmentation),
    ] {
        let started = Instant::now();
        db.transact(vec![op]).await.unwrap();
        println!("a transaction of one {what} among all: {:.0} ms", ms(started));
    }
    let started = Instant::now();
    let ports = (0..10_000).map(|index| lport(&format!("more{index}"), "a")).collect();
    db.transact(ports).await.unwrap();
    println!("a transaction of 10000 ports: {:.0} ms", ms(started));
}
