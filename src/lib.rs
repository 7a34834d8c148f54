//! **trunkpath** is the fast path for VLAN-aware VMs: a switch in user space over AF_XDP that knows each 802.1Q tag of
//! a VM's one interface (the *parent port*) as another logical port (a *subport*) on another network.
//!
//! # The route of a frame
//!
//! | step | where | in → out |
//! |---|---|---|
//! | steer | `bpf/steer.bpf.c` | a frame on a device's RX queue → that queue's AF_XDP socket, its tag in place; no socket: drop or pass, as the port's policy says |
//! | receive | [`worker`] (`open_socket.rs`, `sockets.rs`), [`xsk`] (`socket.rs`) | RX ring → frames that wait in the worker, from which each socket in turn gives a burst; the fill ring is refilled in the same pass |
//! | classify | [`datapath`] (`classify.rs`) | (link, outermost 802.1Q VID) → source port and network; the tag that said so is stripped, any other stays |
//! | guard | [`datapath`] (`guard.rs`, `announce.rs`), [`packet`] (`sender.rs`) | with port security: the addresses that the frame says it is from → may its port use them? An address that several ports claim moves to the one that sends from it |
//! | destination | [`datapath`] (`destination.rs`) | (network, destination address) → a port, or every port but the sender |
//! | dispatch | [`datapath`] (`dispatch.rs`), [`packet`] (`tcp.rs`) | port → link, and the tags to push; TCP too long for the link → segments |
//! | transmit | [`worker`] (`outlet.rs`, `open_socket.rs`), [`xsk`] (`socket.rs`) | TX ring of this worker, or the queue to the worker that owns the link; one kick per pass |
//!
//! A frame that ends on the way has one [`datapath::DropReason`], counted on the port to blame.
//!
//! *Ingress* is into the switch, *egress* is out of it.
//!
//! # Who knows what
//!
//! ```text
//!        NB DB ─┐ watch                                      [`nb`]
//!   rtnetlink ──┤                                            [`control::links`]
//!               ▼
//!         control thread: desired state → compile → publish  [`control`], [`tables`]
//!               │ immutable Tables          ▲ `show`, `stats`, `trace` over a Unix socket: [`api`], [`cli`]
//!   ════════════╪═══════════════════════════╪══════════════
//!   device ─▶ XDP program ─▶ AF_XDP socket ─▶ worker ─▶ AF_XDP socket ─▶ device
//! ```
//!
//! * **Control** is one thread with an async runtime: it follows records and links, compiles [`tables`] and answers the
//!   API. Calls that may wait in the kernel are made by two threads beside it: `rtnl` opens, closes and looks at links
//!   ([`kernel`], [`xsk`]), `links` receives their announcements.
//! * **Workers** ([`worker`]) are pinned threads that own whole (link, queue) pairs. Per frame they take no lock,
//!   allocate nothing, log nothing and read no clock; their only system calls are a kick per socket and pass, and the
//!   sleep of an idle one. A pass with a flood, or with an announcement of an address that is another port's, reads
//!   the clock once, for the rate of these.
//! * They share the published [`tables::Tables`], in them a word for each address that several ports claim (who has it),
//!   single-writer counters, bounded lock-free queues between workers, and a mailbox by which control gives and takes
//!   sockets.
//!
//! # Frames
//!
//! All sockets share one UMEM. A [`xsk::Frame`] is a token for one chunk of it: it cannot be copied, it moves into a
//! ring, a pool or another worker's queue, and one that is dropped goes home. [`xsk::Arena`] knows the place of every
//! chunk, so `pool + fill + RX + in hand + TX + completion` is the same number at any time; `trunkpath stats` shows
//! it. A long frame has several chunks and is still one token. Pushing or stripping a tag moves the 12 address bytes and the start of the frame, never the payload.
//!
//! # The words
//!
//! They are Dragonflow's where it has them: a *logical port* (record `lport`, its `unique_key` a
//! [`types::PortKey`]) is on a *logical switch*, that is, a network (`lswitch`, [`types::NetworkKey`]); a
//! `child_port_segmentation` {parent, port, [`types::Segmentation`]} makes a port a subport. A port is *here* when its
//! record's binding names our *chassis*; a subport is where its parent is.

pub mod api;
pub mod cli;
pub mod config;
pub mod control;
pub mod datapath;
#[allow(unsafe_code, reason = "system calls that no crate wraps; each block has its proof")]
pub mod kernel;
pub mod logging;
pub mod nb;
#[cfg(test)]
#[path = "../tests/support/root.rs"]
mod needs;
pub mod packet;
pub mod tables;
pub mod types;
pub mod worker;
#[allow(unsafe_code, reason = "the rings and the memory shared with the kernel; each block has its proof")]
pub mod xsk;
