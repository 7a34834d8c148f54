//! The program of an uplink (`bpf/uplink.bpf.c`).

use std::ops::Deref;

use libbpf_rs::{MapCore, MapFlags, MapHandle};

use super::error::ProgramError;
use super::loader::{ProgramKind, ProgramLoader};
use super::xdp_program::{XdpProgram, refusal};
use crate::kernel::inspect::{self, XdpMode};
use crate::types::{IfIndex, UplinkSelection};

/// The program of an uplink, which redirects the frames of the switch and passes all others to the kernel. It
/// has no pin: without this process the link belongs to the host.
#[derive(Debug)]
pub struct UplinkProgram {
    program: XdpProgram,
    selection: MapHandle,
}

/// Where a driver stores the tag of a received frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagPlace {
    /// In the frame, where IEEE 802.1Q has it.
    InFrame,
    /// Beside the frame, where the kernel's function for XDP programs reads it (veth).
    BesideFrame,
}

impl UplinkProgram {
    /// Loads the program for the link `ifindex` and attaches it in native mode. All frames are passed to the
    /// kernel until [`steer`](XdpProgram::steer) and [`select`](Self::select) are called.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub fn attach(
        loader: &mut ProgramLoader,
        ifindex: IfIndex,
        queues: u16,
        tags: TagPlace,
    ) -> Result<Self, ProgramError> {
        let bound_to = match tags {
            TagPlace::InFrame => None,
            TagPlace::BesideFrame => Some(ifindex),
        };
        let outcome = loader.load(ProgramKind::Uplink, bound_to, queues);
        let calls_reader = bound_to.is_some() && matches!(outcome, Err(ProgramError::Load(_)));
        if calls_reader && inspect::has_btf() && !inspect::has_vlan_tag_kfunc() {
            return Err(ProgramError::NoTagReader);
        }
        let mut object = outcome?;
        let selection = object.selection.take().ok_or(ProgramError::NoSelection)?;
        match XdpProgram::attach_native(&object, ifindex) {
            Ok(bpf_link) => {
                let program = XdpProgram::new(bpf_link, ifindex, None, object, XdpMode::Native)?;
                Ok(Self { program, selection })
            }
            Err(native) => Err(ProgramError::UplinkNotNative(refusal(ifindex, native)?)),
        }
    }

    /// Sets the frames that belong to the switch, in place of the former ones.
    ///
    /// # Errors
    /// [`ProgramError::Map`].
    pub fn select(&self, selection: &UplinkSelection) -> Result<(), ProgramError> {
        let value = encode(selection);
        self.selection.update(&0_u32.to_ne_bytes(), &value, MapFlags::ANY).map_err(ProgramError::Map)
    }

    /// Detaches the program from the link.
    pub fn detach(self) {
        self.program.detach();
    }
}

impl Deref for UplinkProgram {
    type Target = XdpProgram;

    fn deref(&self) -> &XdpProgram {
        &self.program
    }
}

/// Encodes a `struct uplink_selection` (`bpf/uplink_abi.h`).
fn encode(selection: &UplinkSelection) -> Vec<u8> {
    let mut words = [0_u64; 64];
    let vids = selection.vids.iter().map(|vid| vid.get());
    // VID 0 stands for frames without a VLAN.
    for vid in vids.chain(selection.has_flat_network.then_some(0)) {
        words[usize::from(vid) / 64 % words.len()] |= 1 << (vid % 64);
    }
    let mut value: Vec<u8> = words.into_iter().flat_map(u64::to_ne_bytes).collect();
    value.extend(selection.ipv6.map_or([0; 16], |address| address.octets()));
    value.extend(selection.ipv4.map_or([0; 4], |address| address.octets()));
    value.extend([0; 4]);
    value
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::types::VlanId;

    #[test]
    fn a_selection_is_encoded_as_the_program_reads_it() {
        let vids = [1, 63, 64, 4094].map(|vid| VlanId::new(vid).unwrap());
        let selection = UplinkSelection {
            ipv4: Some(Ipv4Addr::new(192, 0, 2, 1)),
            ipv6: Some(Ipv6Addr::LOCALHOST),
            vids: BTreeSet::from(vids),
            has_flat_network: true,
        };
        let value = encode(&selection);
        assert_eq!(value.len(), 64 * 8 + 16 + 4 + 4);
        let word = |index: usize| u64::from_ne_bytes(value[index * 8..][..8].try_into().unwrap());
        assert_eq!((word(0), word(1), word(63)), (1 | 1 << 1 | 1 << 63, 1, 1 << 62));
        assert_eq!(value[512..528], Ipv6Addr::LOCALHOST.octets());
        assert_eq!(value[528..532], [192, 0, 2, 1]);
        assert!(encode(&UplinkSelection::default()).iter().all(|byte| *byte == 0));
    }
}
