//! Opens and closes links in the kernel: an XDP program on the link, an AF_XDP socket on each of its queues.
//! Runs on the thread `rtnl`, because its calls may wait for the RTNL lock.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use super::link_program::LinkProgram;
use super::open_error::OpenLinkError;
use crate::config::{LinkOptions, PortOptions, UplinkOptions};
use crate::control::links::{LARGEST_MTU, Link};
use crate::kernel::{
    NicSettings, NicUse, PinError, Pins, ProgramLoader, ProgramOptions, SteerProgram, TagPlace,
    UplinkProgram, inspect,
};
use crate::packet::Header;
use crate::packet::dot1q::TAG_LEN;
use crate::tables::QueueSpread;
use crate::types::{IfIndex, QueueId, SlotAllocator};
use crate::xsk::{Arena, LONGEST_NIC_FRAME_BYTES, OpenError, SocketMode, XskSocket};

/// The number of a socket takes 15 bits in the arena's table of places, beside one for the direction.
pub(super) const MAX_SOCKETS: u32 = u16::MAX as u32 / 2 - 1;

/// Opens links, and owns the programs of those that are closed and will be opened again.
#[derive(Debug)]
pub(super) struct Opener {
    arena: &'static Arena,
    loader: ProgramLoader,
    /// The programs of links without sockets.
    standing: BTreeMap<IfIndex, LinkProgram>,
    socket_ids: SlotAllocator,
    /// Uplinks whose driver rejected zero-copy mode.
    copy_only: BTreeSet<IfIndex>,
}

/// A link with its program and sockets.
#[derive(Debug)]
pub(in crate::control) struct OpenLink {
    /// The name of the link when it was opened.
    pub(super) name: String,
    pub(super) ifindex: IfIndex,
    pub(in crate::control) program: LinkProgram,
    /// The mode of its sockets.
    pub(in crate::control) socket_mode: SocketMode,
    /// The workers that get its sockets.
    pub(super) spread: QueueSpread,
    /// The sockets that no worker owns yet.
    pub(super) sockets: Vec<XskSocket>,
    socket_ids: Vec<u16>,
    /// The reason why the program is not pinned although it should be.
    pub(super) unpinned: Option<PinError>,
}

impl Opener {
    pub(super) fn new(arena: &'static Arena) -> Self {
        Self {
            arena,
            loader: ProgramLoader::default(),
            standing: BTreeMap::new(),
            socket_ids: SlotAllocator::default(),
            copy_only: BTreeSet::new(),
        }
    }

    /// Opens `link`. Until its frames are steered into the sockets, those of a port have the outcome that
    /// `no_socket` sets, and those of an uplink are passed to the kernel.
    pub(super) fn open(
        &mut self,
        link: &Link,
        options: LinkOptions,
        pins: Option<&Pins>,
    ) -> Result<OpenLink, OpenLinkError> {
        if link.mtu > LARGEST_MTU {
            return Err(OpenLinkError::Mtu(link.mtu));
        }
        let (program, unpinned) = match options {
            LinkOptions::Port(options, _) => {
                let mut program = self.attach_port(link, options, pins)?;
                let unpinned = pins.and_then(|pins| program.update_pin(options.no_socket, pins).err());
                (LinkProgram::Port(program), unpinned)
            }
            LinkOptions::Uplink(options) => (self.attach_uplink(link, options, pins)?, None),
        };
        let mut open = OpenLink {
            name: link.name.clone(),
            ifindex: link.ifindex,
            program,
            socket_mode: self.socket_mode(link, options),
            spread: options.spread(),
            sockets: vec![],
            socket_ids: vec![],
            unpinned,
        };
        let mut outcome = self.open_sockets(link, &mut open);
        if open.socket_mode == SocketMode::ZeroCopy
            && let Err(OpenLinkError::Socket(error @ OpenError::Refused { .. })) = &outcome
        {
            tracing::info!(link = link.name, "no zero-copy mode: {error}");
            self.copy_only.insert(link.ifindex);
            self.close_sockets(&mut open);
            open.socket_mode = SocketMode::Copy;
            outcome = self.open_sockets(link, &mut open);
        }
        match outcome {
            Ok(()) => Ok(open),
            Err(error) => {
                self.close(open);
                Err(error)
            }
        }
    }

    /// The mode to try first: zero-copy for an uplink whose driver announces it, unless it was rejected
    /// before.
    fn socket_mode(&self, link: &Link, options: LinkOptions) -> SocketMode {
        let fits = link.mtu as usize + Header::LEN + 2 * TAG_LEN <= LONGEST_NIC_FRAME_BYTES;
        match options {
            LinkOptions::Uplink(_)
                if fits
                    && !self.copy_only.contains(&link.ifindex)
                    && inspect::xdp(link.ifindex).is_ok_and(|xdp| xdp.has_zero_copy) =>
            {
                SocketMode::ZeroCopy
            }
            LinkOptions::Uplink(_) | LinkOptions::Port(..) => SocketMode::Copy,
        }
    }

    /// Opens a socket on each queue of a link that has the program.
    fn open_sockets(&mut self, link: &Link, open: &mut OpenLink) -> Result<(), OpenLinkError> {
        for queue in (0..link.rx_queues).map(QueueId) {
            let id = self.socket_ids.allocate(MAX_SOCKETS).ok_or(OpenLinkError::TooMany)? as u16;
            open.socket_ids.push(id);
            open.sockets.push(match open.socket_mode {
                SocketMode::Copy => XskSocket::open(self.arena, id, &link.name, queue)?,
                SocketMode::ZeroCopy => XskSocket::open_zero_copy(self.arena, id, &link.name, queue)?,
            });
        }
        // A program is attached by index, but a socket is bound by name, which another link may have by now:
        // its frames would leave by the wrong link.
        if inspect::ifindex_of(&link.name) != Some(link.ifindex) {
            return Err(OpenLinkError::Renamed(link.name.clone()));
        }
        Ok(())
    }

    /// A program without sockets for the link of a port, which replaces the one on the link, if any.
    fn attach_port(
        &mut self,
        link: &Link,
        options: PortOptions,
        pins: Option<&Pins>,
    ) -> Result<SteerProgram, OpenLinkError> {
        let PortOptions { no_socket, allow_generic, .. } = options;
        let options = ProgramOptions { queues: link.rx_queues, no_socket, allow_generic };
        match self.standing.remove(&link.ifindex) {
            Some(LinkProgram::Port(mut standing)) if standing.can_renew_with(options) => {
                if let Err(error) = standing.renew(&mut self.loader, options) {
                    self.standing.insert(link.ifindex, LinkProgram::Port(standing));
                    return Err(error.into());
                }
                Ok(standing)
            }
            found => {
                found.into_iter().for_each(LinkProgram::detach);
                Ok(SteerProgram::attach(&mut self.loader, link.ifindex, options, pins)?)
            }
        }
    }

    /// A program without sockets for an uplink, whose NIC has the settings for it.
    fn attach_uplink(
        &mut self,
        link: &Link,
        options: UplinkOptions,
        pins: Option<&Pins>,
    ) -> Result<LinkProgram, OpenLinkError> {
        let tags = tag_place(link)?;
        // The settings of an uplink that is opened again remain in force.
        let mut settings = match self.standing.remove(&link.ifindex) {
            Some(LinkProgram::Uplink(program, settings)) => {
                program.detach();
                settings
            }
            found => {
                found.into_iter().for_each(LinkProgram::detach);
                NicSettings::of(link.ifindex)
            }
        };
        if let Some(pins) = pins {
            pins.discard(link.ifindex);
        }
        let usage = if options.is_provider { NicUse::Provider } else { NicUse::Tunnels };
        settings.apply(&link.name, usage, tags)?;
        let program = UplinkProgram::attach(&mut self.loader, link.ifindex, link.rx_queues, tags)?;
        Ok(LinkProgram::Uplink(program, settings))
    }

    /// Closes the sockets, which returns their chunks to the arena. The program remains.
    pub(super) fn close(&mut self, mut open: OpenLink) {
        self.close_sockets(&mut open);
        self.standing.insert(open.ifindex, open.program);
    }

    fn close_sockets(&mut self, open: &mut OpenLink) {
        XskSocket::close_all(mem::take(&mut open.sockets));
        open.socket_ids.drain(..).for_each(|id| self.socket_ids.release(u32::from(id)));
    }

    /// Detaches the program from a closed link.
    pub(super) fn discard(&mut self, ifindex: IfIndex) {
        self.standing.remove(&ifindex).into_iter().for_each(LinkProgram::detach);
        self.copy_only.remove(&ifindex);
    }

    /// Detaches the programs from all links: those of open ones, `open`, and those of closed ones.
    pub(super) fn detach_all(&mut self, open: Vec<LinkProgram>) {
        open.into_iter().for_each(LinkProgram::detach);
        mem::take(&mut self.standing).into_values().for_each(LinkProgram::detach);
    }
}

/// Where the driver of an uplink stores tags. A link that stands on others (a bond, a bridge, a VLAN link) is
/// no uplink: its frames pass the programs of those.
fn tag_place(link: &Link) -> Result<TagPlace, OpenLinkError> {
    if link.mac.is_none() {
        return Err(OpenLinkError::NotEthernet);
    }
    match link.kind.as_deref() {
        Some("veth") => Ok(TagPlace::BesideFrame),
        // A physical or virtual NIC has no kind.
        None | Some("tun") => Ok(TagPlace::InFrame),
        Some(kind) => Err(OpenLinkError::Stacked(kind.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::links::test_link;
    use crate::types::MacAddr;

    #[test]
    fn an_uplink_is_a_nic_or_a_veth_or_a_tap() {
        let place = |kind: Option<&str>| {
            let mut link = test_link(1, "eth1", None);
            link.mac = Some(MacAddr::new([2, 0, 0, 0, 0, 1]));
            link.kind = kind.map(str::to_owned);
            tag_place(&link)
        };
        assert_eq!(place(None).unwrap(), TagPlace::InFrame);
        assert_eq!(place(Some("tun")).unwrap(), TagPlace::InFrame);
        assert_eq!(place(Some("veth")).unwrap(), TagPlace::BesideFrame);
        assert!(place(Some("bond")).unwrap_err().to_string().contains("bond link: expected a NIC"));
        assert!(matches!(tag_place(&test_link(1, "wg0", None)), Err(OpenLinkError::NotEthernet)));
    }
}
