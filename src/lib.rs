//! **trunkpath** is a layer-2 switch in user space over AF_XDP for VLAN-aware VMs: each 802.1Q tag on a VM's
//! only link (of its *parent* port) leads to another port (a *subport*) on another network.
//!
//! `docs/architecture.md` has the threads, the ownership of memory and sockets, and the files that a frame
//! and a record pass in order; `docs/behaviour.md` the outcome of every kind of frame; `docs/style.md` the
//! words.
//!
//! # Parts
//!
//! ```text
//!     NB DB ─┐ watch                                            [`nb`]
//! rtnetlink ─┤                                                  [`control::links`]
//!            ▼
//!      control thread: desired state → compile → publish        [`control`], [`tables`]
//!            │ immutable Tables       ▲ `show`, `stats`, `trace` over a Unix socket: [`api`], [`cli`]
//! ═══════════╪════════════════════════╪═════════════════════
//! link ─▶ XDP program ─▶ AF_XDP socket ─▶ worker ─▶ AF_XDP socket ─▶ link
//! ```
//!
//! | part | modules | task |
//! |---|---|---|
//! | XDP program | `bpf/steer.bpf.c`, [`kernel`] | restores stored tags, redirects frames to sockets |
//! | worker | [`worker`], [`xsk`] | moves bursts of frames between rings, packet memory and workers |
//! | pipeline | [`datapath`], [`packet`] | determines source, destination, tags and length of each frame |
//! | control | [`control`], [`tables`], [`nb`] | follows records and links, opens links, publishes tables |
//! | operation | [`api`], [`cli`], [`config`], [`logging`] | HTTP API, commands, settings, log |
//!
//! *Ingress* is into the switch, *egress* is out of it. A frame that is not forwarded is dropped for one
//! [`types::DropReason`], counted at one port.
//!
//! # Threads
//!
//! * **Control** is one thread with an async runtime. Calls that may block in the kernel are made by two
//!   threads beside it: `rtnl` opens, closes and examines links ([`kernel`], [`xsk`]), `links` receives link
//!   events.
//! * **Workers** are pinned threads that own whole (link, queue) pairs. Per frame they take no lock, allocate
//!   nothing, log nothing and read no clock; their only system calls are one kick per socket and pass, and
//!   the sleep of an idle worker. A pass with a flood, or with an announcement of an address that another
//!   port holds, reads the clock once, for the rate limits of these.
//! * They share the published [`tables::Tables`], a word in them for each address that several ports claim
//!   (its holder), counters with a single writer each, bounded lock-free queues between workers, and a
//!   mailbox by which control adds and removes sockets.
//!
//! # Frames
//!
//! All sockets share one UMEM. An [`xsk::Frame`] is a token for the chunks of one frame, usually one: it
//! cannot be copied, it moves into a ring, a pool or another worker's queue, and a dropped one returns to the
//! pool. [`xsk::Arena`] records the place of every chunk, so `pool + fill + RX + in hand + TX + completion`
//! is constant; `trunkpath stats` prints it. Pushing or stripping a tag moves the 12 address bytes and the
//! start of the frame, never the payload.
//!
//! # Records
//!
//! The words are Dragonflow's: a *port* (record `lport`, its `unique_key` a [`types::PortKey`]) is on a
//! *network* (`lswitch`, [`types::NetworkKey`]); a `child_port_segmentation` {parent, port,
//! [`types::Segmentation`]} makes a port a subport. A port is *local* when its record is bound to the
//! *chassis* name of this host; a subport is local where its parent is.

#![cfg_attr(not(feature = "daemon"), allow(dead_code, unused_imports, reason = "used by the daemon"))]

#[cfg(feature = "daemon")]
pub mod api;
#[cfg(feature = "daemon")]
pub mod cli;
#[cfg(feature = "daemon")]
pub mod config;
#[cfg(feature = "daemon")]
pub mod control;
pub mod datapath;
#[cfg(feature = "daemon")]
#[allow(unsafe_code, reason = "system calls that no crate wraps; each block has its proof")]
pub mod kernel;
#[cfg(feature = "daemon")]
pub mod logging;
pub mod nb;
pub mod packet;
pub mod tables;
pub mod types;
#[cfg(feature = "daemon")]
pub mod worker;
#[allow(unsafe_code, reason = "the rings and the memory shared with the kernel; each block has its proof")]
pub mod xsk;

#[cfg(test)]
use testkit::root as needs;
