//! The link watcher with the real kernel.

use std::time::Duration;

use futures::FutureExt;
use testkit::netns::Netns;
use trunkpath::control::links::{LinkEvent, LinkWatch, Links};

const BOUND: Duration = Duration::from_secs(20);

/// Runs `test` on a single-threaded runtime in the namespace.
fn watching<F: Future<Output = ()>>(namespace: &Netns, test: impl FnOnce(Links, LinkWatch) -> F + Send) {
    namespace.enter(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (links, watch) = LinkWatch::open().await.unwrap();
            tokio::time::timeout(BOUND, test(links, watch)).await.unwrap();
        });
    });
}

/// Applies events until `condition` holds.
async fn until(links: &mut Links, watch: &mut LinkWatch, condition: impl Fn(&Links) -> bool) {
    while !condition(links) {
        watch.next().await.unwrap().apply(links);
    }
}

#[test]
fn existing_links_are_listed() {
    let Some(namespace) = Netns::for_test("links_that_are_there") else { return };
    namespace.ip("link add v0 numrxqueues 4 numtxqueues 2 type veth peer name v1");
    namespace.ip("link set v0 mtu 1400 address fa:16:3e:00:01:66 alias c0a80101-1111");
    namespace.ip("link add w0 type veth peer name w1");
    namespace.ip("link add b0 type bridge");
    namespace.ip("tuntap add t0 mode tap");
    watching(&namespace, async |links, _| {
        let names: Vec<_> = links.iter().map(|link| link.name.as_str()).collect();
        assert!(["lo", "v0", "v1", "b0", "t0"].iter().all(|name| names.contains(name)), "{names:?}");
        let v0 = links.named("v0").unwrap();
        assert_eq!(v0.alias.as_deref(), Some("c0a80101-1111"));
        assert_eq!(v0.kind.as_deref(), Some("veth"));
        assert_eq!(v0.mac.unwrap().to_string(), "fa:16:3e:00:01:66");
        assert_eq!((v0.mtu, v0.rx_queues, v0.tx_queues, v0.up, v0.carrier), (1400, 4, 2, false, false));
        let w0 = links.named("w0").unwrap();
        assert_eq!((w0.rx_queues, w0.tx_queues), (1, 1), "in use; allocated is one for each CPU");
        let t0 = links.named("t0").unwrap();
        assert_eq!((t0.kind.as_deref(), t0.rx_queues), (Some("tun"), 1), "no VM holds it");
        assert_eq!(links.named("b0").unwrap().kind.as_deref(), Some("bridge"));
    });
}

#[test]
fn every_change_is_announced() {
    let Some(namespace) = Netns::for_test("every_change_is_announced") else { return };
    watching(&namespace, async |mut links, mut watch| {
        namespace.ip("link add v0 type veth peer name v1");
        until(&mut links, &mut watch, |links| links.named("v0").is_some_and(|v0| !v0.up)).await;
        namespace.ip("link set v0 up");
        until(&mut links, &mut watch, |links| links.named("v0").is_some_and(|v0| v0.up && !v0.carrier)).await;
        namespace.ip("link set v1 up");
        until(&mut links, &mut watch, |links| links.named("v0").is_some_and(|v0| v0.carrier)).await;
        namespace.ip("link set v0 alias lport-1");
        until(&mut links, &mut watch, |links| {
            links.named("v0").is_some_and(|v0| v0.alias.as_deref() == Some("lport-1"))
        })
        .await;
        namespace.ip("link set v0 name renamed");
        until(&mut links, &mut watch, |links| {
            links.named("renamed").is_some() && links.named("v0").is_none()
        })
        .await;
        let first = links.named("renamed").unwrap().ifindex;
        namespace.ip("link del renamed");
        until(&mut links, &mut watch, |links| links.get(first).is_none()).await;
        namespace.ip("link add renamed type veth peer name v1");
        until(&mut links, &mut watch, |links| links.named("renamed").is_some()).await;
        assert_ne!(
            links.named("renamed").unwrap().ifindex,
            first,
            "a link that is created again has another index"
        );
    });
}

#[test]
fn a_link_that_leaves_a_bridge_remains() {
    let Some(namespace) = Netns::for_test("a_link_that_leaves_a_bridge_remains") else { return };
    namespace.ip("link add b0 type bridge");
    namespace.ip("link add v0 type veth peer name v1");
    namespace.ip("link set v0 up master b0");
    namespace.ip("link set b0 up");
    watching(&namespace, async |mut links, mut watch| {
        let v0 = links.named("v0").unwrap().ifindex;
        namespace.ip("link set v0 nomaster");
        namespace.ip("link set b0 alias end");
        while links.named("b0").unwrap().alias.is_none() {
            let event = watch.next().await.unwrap();
            assert_ne!(event, LinkEvent::Gone(v0));
            event.apply(&mut links);
        }
        assert!(links.get(v0).is_some());
    });
}

#[test]
fn a_cancelled_wait_loses_no_event() {
    let Some(namespace) = Netns::for_test("a_cancelled_wait_loses_no_event") else { return };
    watching(&namespace, async |mut links, mut watch| {
        assert!(watch.next().now_or_never().is_none(), "nothing happened yet");
        namespace.ip("link add v0 type veth peer name v1");
        while links.named("v0").is_none() || links.named("v1").is_none() {
            match watch.next().now_or_never() {
                Some(event) => event.unwrap().apply(&mut links),
                None => tokio::task::yield_now().await,
            }
        }
    });
}
