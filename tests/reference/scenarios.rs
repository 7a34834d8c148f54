//! Scenarios in which every listed difference can show.

use testkit::scenario::{Mac, Scenario};

/// Address of port `number`; the random frames use the first nine.
pub const fn mac(number: u8) -> Mac {
    [2, 0, 0, 0, 0, number]
}

/// Two parents with subports on both networks: both have VID 100, `one` has two ports on each network, and
/// `two` a subport on its own one. Each network has a peer.
pub fn two_trunks() -> Scenario {
    Scenario::default()
        .network("a", 1)
        .network("b", 2)
        .port("one", 1, "a", mac(1))
        .port("one-b", 2, "b", mac(2))
        .port("one-a", 3, "a", mac(3))
        .port("one-b2", 4, "b", mac(4))
        .port("two", 5, "b", mac(5))
        .port("two-a", 6, "a", mac(6))
        .port("two-b", 7, "b", mac(7))
        .port("peer-a", 8, "a", mac(8))
        .port("peer-b", 9, "b", mac(9))
        .segmentation("s1", "one", 100, "one-b")
        .segmentation("s2", "one", 200, "one-a")
        .segmentation("s3", "one", 4094, "one-b2")
        .segmentation("s4", "two", 100, "two-a")
        .segmentation("s5", "two", 1, "two-b")
        .link("one")
        .link("two")
        .link("peer-a")
        .link("peer-b")
}

/// Three levels of subports; the first and the last are on the network of the parent.
pub fn stacked() -> Scenario {
    Scenario::default()
        .network("a", 1)
        .network("b", 2)
        .port("vm", 1, "a", mac(1))
        .port("pod", 2, "a", mac(2))
        .port("box", 3, "b", mac(3))
        .port("job", 4, "a", mac(4))
        .port("peer-a", 8, "a", mac(8))
        .port("peer-b", 9, "b", mac(9))
        .segmentation("s1", "vm", 100, "pod")
        .segmentation("s2", "pod", 4094, "box")
        .segmentation("s3", "box", 1, "job")
        .link("vm")
        .link("peer-a")
        .link("peer-b")
}
