//! Loading an XDP program, once for each link, without libbpf after the first time: libbpf parses all types
//! of the kernel at each load, which takes longer than the rest of opening a link.

mod skeletons;

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fmt;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use libbpf_rs::libbpf_sys::{self, bpf_insn, bpf_map_create_opts, bpf_prog_load_opts};
use libbpf_rs::{Error, MapCore, MapHandle, MapImpl};

use crate::types::{IfIndex, NoSocketPolicy};

use super::error::ProgramError;
use crate::kernel::attachable::AttachableProgram;

/// A loaded program that is not attached yet, and its maps.
pub(super) struct Loaded {
    pub(super) program: AttachableProgram,
    pub(super) sockets: MapHandle,
    pub(super) counters: MapHandle,
    /// Only of an uplink's program.
    pub(super) selection: Option<MapHandle>,
}

/// The variants of the programs, each prepared for this kernel when it is first needed.
#[derive(Debug, Default)]
pub struct ProgramLoader {
    prepared: BTreeMap<Variant, Prepared>,
}

/// Which of the objects in bpf/, and the value of its constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ProgramKind {
    Port(NoSocketPolicy),
    Uplink,
}

/// A kind, and which of the two programs of its object: for native mode with tags beside frames, and bound to
/// a link, or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Variant {
    kind: ProgramKind,
    is_bound: bool,
}

/// A program as libbpf relocated it for this kernel.
#[derive(Debug)]
struct Prepared {
    name: &'static CStr,
    instructions: Vec<bpf_insn>,
    /// Templates of the maps that each link has of its own.
    sockets: MapTemplate,
    counters: MapTemplate,
    selection: Option<MapTemplate>,
    /// Shared by all links.
    constants: Option<MapTemplate>,
}

/// A map that instructions refer to.
#[derive(Debug)]
struct MapTemplate {
    /// The descriptor in those instructions.
    descriptor: RawFd,
    map: MapHandle,
}

impl ProgramLoader {
    /// Loads the program that is bound to the link `bound_to`; or with `None` the one that is bound to no
    /// link.
    pub(super) fn load(
        &mut self,
        kind: ProgramKind,
        bound_to: Option<IfIndex>,
        queues: u16,
    ) -> Result<Loaded, ProgramError> {
        let variant = Variant { kind, is_bound: bound_to.is_some() };
        let prepared = match self.prepared.get(&variant) {
            Some(prepared) => prepared,
            None => self.prepared.entry(variant).or_insert(Prepared::for_kernel(kind, bound_to)?),
        };
        prepared.load(bound_to, queues)
    }
}

impl Prepared {
    /// Loads the program once by libbpf, and keeps the relocated instructions and the maps.
    fn for_kernel(kind: ProgramKind, bound_to: Option<IfIndex>) -> Result<Self, ProgramError> {
        let prepared = match kind {
            ProgramKind::Port(no_socket) => skeletons::steer(bound_to, no_socket),
            ProgramKind::Uplink => skeletons::uplink(bound_to),
        };
        prepared.map_err(ProgramError::Load)
    }

    fn load(&self, bound_to: Option<IfIndex>, queues: u16) -> Result<Loaded, ProgramError> {
        let sockets = self.sockets.create(u32::from(queues.max(1))).map_err(ProgramError::Load)?;
        let counters = self.counters.copy().map_err(ProgramError::Load)?;
        let selection = self.selection.as_ref().map(MapTemplate::copy).transpose();
        let selection = selection.map_err(ProgramError::Load)?;
        let own = [(&self.sockets, &sockets), (&self.counters, &counters)];
        let own = own.into_iter().chain(self.selection.iter().zip(&selection));
        let shared = self.constants.iter().map(|template| (template, &template.map));
        let maps: Vec<_> = own.chain(shared).collect();
        let program = self.load_with(&maps, bound_to).map_err(ProgramError::Load)?;
        let program = match bound_to {
            Some(_) => {
                AttachableProgram::bound(program, self.instructions.len()).map_err(ProgramError::PageBound)?
            }
            None => AttachableProgram::unbound(program),
        };
        Ok(Loaded { program, sockets, counters, selection })
    }

    /// Loads the program with the second map of each pair in place of the first.
    fn load_with(
        &self,
        maps: &[(&MapTemplate, &MapHandle)],
        bound_to: Option<IfIndex>,
    ) -> Result<OwnedFd, Error> {
        let mut instructions = self.instructions.clone();
        for instruction in instructions.iter_mut().filter(|instruction| loads_map(**instruction)) {
            let map = maps.iter().find(|(template, _)| template.descriptor == instruction.imm);
            let (_, map) = map.ok_or_else(|| io::Error::other("an instruction refers to an unknown map"))?;
            instruction.imm = map.as_fd().as_raw_fd();
        }
        Ok(load(self.name, &instructions, bound_to)?)
    }
}

impl MapTemplate {
    fn of<T: fmt::Debug>(map: &MapImpl<'_, T>) -> Result<Self, Error> {
        Ok(Self { descriptor: map.as_fd().as_raw_fd(), map: MapHandle::try_from(map)? })
    }

    /// Creates a map of the same type and size, without content.
    fn copy(&self) -> Result<MapHandle, Error> {
        self.create(self.map.max_entries())
    }

    /// Creates a map of the same type, with `entries` entries.
    fn create(&self, entries: u32) -> Result<MapHandle, Error> {
        let options = bpf_map_create_opts {
            sz: size_of::<bpf_map_create_opts>() as libbpf_sys::size_t,
            ..bpf_map_create_opts::default()
        };
        let Self { map, .. } = self;
        MapHandle::create(
            map.map_type(),
            Some(map.name()),
            map.key_size(),
            map.value_size(),
            entries,
            &options,
        )
    }
}

/// Whether the instruction holds the descriptor of a map (`BPF_PSEUDO_MAP_FD` and `BPF_PSEUDO_MAP_VALUE` in
/// linux/bpf.h).
fn loads_map(instruction: bpf_insn) -> bool {
    const LOAD_IMMEDIATE: u32 = libbpf_sys::BPF_LD | libbpf_sys::BPF_DW | libbpf_sys::BPF_IMM;
    let source = u32::from(instruction.src_reg());
    u32::from(instruction.code) == LOAD_IMMEDIATE
        && [libbpf_sys::BPF_PSEUDO_MAP_FD, libbpf_sys::BPF_PSEUDO_MAP_VALUE].contains(&source)
}

/// Loads a program, and binds it to a link, if one is given.
fn load(name: &CStr, instructions: &[bpf_insn], bound_to: Option<IfIndex>) -> Result<OwnedFd, io::Error> {
    let mut options = bpf_prog_load_opts {
        sz: size_of::<bpf_prog_load_opts>() as libbpf_sys::size_t,
        expected_attach_type: libbpf_sys::BPF_XDP,
        // As SEC("xdp.frags") does in libbpf: the program accepts frames in several fragments.
        prog_flags: libbpf_sys::BPF_F_XDP_HAS_FRAGS
            | bound_to.map_or(0, |_| libbpf_sys::BPF_F_XDP_DEV_BOUND_ONLY),
        prog_ifindex: bound_to.map_or(0, IfIndex::get),
        ..bpf_prog_load_opts::default()
    };
    // SAFETY: the two texts, the instructions and `options` outlive the call, and the sizes of the latter two
    // are given with them.
    let program = unsafe {
        libbpf_sys::bpf_prog_load(
            libbpf_sys::BPF_PROG_TYPE_XDP,
            name.as_ptr(),
            c"Dual BSD/GPL".as_ptr(),
            instructions.as_ptr(),
            instructions.len() as libbpf_sys::size_t,
            &raw mut options,
        )
    };
    if program < 0 {
        return Err(io::Error::from_raw_os_error(-program));
    }
    // SAFETY: the kernel returned a new descriptor, which has no other owner.
    Ok(unsafe { OwnedFd::from_raw_fd(program) })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use nix::net::if_::if_nametoindex;
    use nix::sched::{CloneFlags, unshare};

    use super::*;
    use crate::kernel::attachable::{check, verified_bytes};
    use crate::needs::is_root;

    #[test]
    fn bound_programs_fit_one_page_before_and_after_verification() {
        if !is_root("bound_programs_fit_one_page_before_and_after_verification") {
            return;
        }
        // A namespace of this thread's own, with a link to bind to.
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let made = Command::new("ip").args("link add one type veth peer name two".split(' ')).status();
        assert!(made.unwrap().success());
        let ifindex = IfIndex::new(if_nametoindex("one").unwrap());
        let ports = [NoSocketPolicy::Drop, NoSocketPolicy::Pass].map(ProgramKind::Port);
        for kind in ports.into_iter().chain([ProgramKind::Uplink]) {
            let prepared = Prepared::for_kernel(kind, ifindex).unwrap();
            let loaded = prepared.load(ifindex, 1).unwrap();
            let loaded_bytes = prepared.instructions.len() * size_of::<bpf_insn>();
            let verified_bytes = verified_bytes(&loaded.program).unwrap();
            assert!(
                verified_bytes > loaded_bytes,
                "the verifier adds to {kind:?}: {loaded_bytes}, {verified_bytes}"
            );
            check(loaded_bytes, verified_bytes).unwrap();
        }
    }
}
