//! The life of the XDP program on one link: load, attach, steer to sockets, count, replace, detach.
//!
//! A `bpf_link` of this process keeps the program attached: while the process lives, no other process can
//! replace it. When the process is killed, the port's policy takes effect. `pass`: the kernel detaches the
//! program when the last descriptor of the `bpf_link` is closed. `drop`: a pin keeps the program attached,
//! where it finds no socket any more and drops all frames, until the next start adopts it.

mod attached;
mod error;
mod loader;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libbpf_rs::{ErrorKind, MapCore, MapFlags, MapHandle, PrintLevel, libbpf_sys};

use super::bpf_link::BpfLink;
use super::inspect::{self, XdpMode};
use super::pins::{PinError, Pins, remove_pin};
use crate::types::NoSocketPolicy;
use crate::types::{IfIndex, QueueId};
use loader::Loaded;

pub use attached::{AttachedProgram, ProgramChange};
pub use error::ProgramError;
pub use loader::SteerLoader;

/// The program of `bpf/steer.bpf.c`, attached to a link until the value is dropped; or, with a pin, until
/// [`detach`](Self::detach).
#[derive(Debug)]
pub struct SteerProgram {
    attached: AttachedProgram,
    mode: XdpMode,
    sockets: MapHandle,
    counters: ProgramCounters,
}

/// Redirects the messages of libbpf, such as verifier logs, from stderr to the log, at debug level: the
/// errors contain the essential part.
pub fn log_libbpf() {
    libbpf_rs::set_print(Some((PrintLevel::Debug, |_, text| tracing::debug!("{}", text.trim_end()))));
}

/// How to steer the frames of one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramOptions {
    /// Number of RX queues of the link.
    pub queues: u16,
    /// Outcome of frames while their queue has no socket.
    pub no_socket: NoSocketPolicy,
    /// Whether generic mode is a fallback. In that mode the program cannot read a tag beside the frame.
    pub allow_generic: bool,
}

impl ProgramOptions {
    fn allows(self, mode: XdpMode) -> bool {
        mode != XdpMode::Generic || self.allow_generic
    }
}

/// Outcomes of the frames that ran the program so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SteerCounters {
    /// Frames redirected to a socket.
    pub redirected: u64,
    /// Frames passed to the kernel: no socket, policy `pass`.
    pub passed: u64,
    /// Frames dropped: no socket and policy `drop`, or a tag that could not be restored.
    pub dropped: u64,
}

/// The counters of a program. Clones read the same ones, on any thread and also after the program was
/// detached.
#[derive(Debug, Clone)]
pub struct ProgramCounters(Arc<MapHandle>);

impl ProgramCounters {
    /// Reads the counters, summed over the CPUs.
    ///
    /// # Errors
    /// [`ProgramError::Map`].
    pub fn read(&self) -> Result<SteerCounters, ProgramError> {
        // The order of `enum steer_counter` in bpf/steer_abi.h.
        let [redirected, passed, dropped] = [0_u32, 1, 2].map(|counter| {
            let cpus =
                self.0.lookup_percpu(&counter.to_ne_bytes(), MapFlags::ANY).map_err(ProgramError::Map)?;
            let values = cpus.iter().flatten().filter_map(|bytes| bytes.first_chunk().copied());
            Ok(values.map(u64::from_ne_bytes).sum())
        });
        Ok(SteerCounters { redirected: redirected?, passed: passed?, dropped: dropped? })
    }
}

impl SteerProgram {
    /// Loads the program for the link `ifindex` and attaches it. It replaces the program that an earlier run
    /// left pinned, if any. Until [`steer`](Self::steer) is called, frames have the outcome of
    /// `options.no_socket`.
    ///
    /// # Errors
    /// [`ProgramError`]. A pinned program stays attached then.
    pub fn attach(
        loader: &mut SteerLoader,
        ifindex: IfIndex,
        options: ProgramOptions,
        pins: Option<&Pins>,
    ) -> Result<Self, ProgramError> {
        if let Some((bpf_link, pin)) = pins.and_then(|pins| pins.find(ifindex)) {
            let attached = inspect::xdp(ifindex).ok().and_then(|xdp| xdp.attached);
            let mode = attached.map_or(XdpMode::Native, |attached| attached.mode);
            if options.allows(mode) {
                let object = replace(loader, &bpf_link, ifindex, mode, options)?;
                tracing::info!(pin = %pin.display(), "program of an earlier run adopted");
                return Self::new(bpf_link, ifindex, Some(pin), object, mode);
            }
            detach(&bpf_link, ifindex, Some(&pin));
        }
        Self::attach_first(loader, ifindex, options)
    }

    fn attach_first(
        loader: &mut SteerLoader,
        ifindex: IfIndex,
        options: ProgramOptions,
    ) -> Result<Self, ProgramError> {
        let ProgramOptions { queues, no_socket, allow_generic } = options;
        let mut load = |bound_to| loader.load(bound_to, no_socket, queues);
        let native = match load(Some(ifindex)) {
            Ok(object) => match BpfLink::attach(&object.program, ifindex, libbpf_sys::XDP_FLAGS_DRV_MODE) {
                Ok(bpf_link) => return Self::new(bpf_link, ifindex, None, object, XdpMode::Native),
                Err(error) => error,
            },
            // A driver without native XDP rejects the binding of a program to its link.
            Err(ProgramError::Load(error)) if error.kind() == ErrorKind::Unsupported => {
                io::Error::from_raw_os_error(libc::EOPNOTSUPP)
            }
            Err(ProgramError::Load(_)) if inspect::has_btf() && !inspect::has_vlan_tag_kfunc() => {
                if !allow_generic {
                    return Err(ProgramError::NoTagReader);
                }
                io::Error::from_raw_os_error(libc::EOPNOTSUPP)
            }
            Err(error) => return Err(error),
        };
        if let Ok(Some(attached)) = inspect::xdp(ifindex).map(|link| link.attached) {
            let holder =
                format!("program {} ({})", attached.program_id, inspect::owner_of(attached.program_id));
            return Err(ProgramError::Held { holder });
        }
        match native.raw_os_error() {
            Some(libc::ERANGE) => return Err(ProgramError::Mtu),
            Some(libc::ENOSPC) => return Err(ProgramError::Queues),
            // Errors of drivers without native XDP, or without bound programs.
            Some(libc::EOPNOTSUPP | libc::EINVAL) if allow_generic => {}
            Some(libc::EOPNOTSUPP | libc::EINVAL) => return Err(ProgramError::NotNative(native)),
            _ => return Err(ProgramError::Attach(native)),
        }
        attach_generic(load(None)?, ifindex)
    }

    fn new(
        bpf_link: BpfLink,
        ifindex: IfIndex,
        pin: Option<PathBuf>,
        object: Loaded,
        mode: XdpMode,
    ) -> Result<Self, ProgramError> {
        let program_id = bpf_link.info().map_err(ProgramError::Attach)?.program_id;
        let attached = AttachedProgram { bpf_link: Arc::new(bpf_link), ifindex, program_id, pin };
        Ok(Self {
            attached,
            mode,
            sockets: object.sockets,
            counters: ProgramCounters(Arc::new(object.counters)),
        })
    }

    /// Whether it can be [renewed](Self::renew) with these options.
    #[must_use]
    pub fn can_renew_with(&self, options: ProgramOptions) -> bool {
        let ifindex = self.attached.bpf_link.info().ok().and_then(|info| info.ifindex);
        ifindex == Some(self.attached.ifindex) && options.allows(self.mode)
    }

    /// Replaces the program by a new one, atomically. The new one has no sockets yet.
    ///
    /// # Errors
    /// [`ProgramError`]; the old program stays attached then.
    pub fn renew(&mut self, loader: &mut SteerLoader, options: ProgramOptions) -> Result<(), ProgramError> {
        let AttachedProgram { bpf_link, ifindex, .. } = &self.attached;
        let object = replace(loader, bpf_link, *ifindex, self.mode, options)?;
        self.attached.program_id = self.attached.bpf_link.info().map_err(ProgramError::Replace)?.program_id;
        (self.sockets, self.counters) = (object.sockets, ProgramCounters(Arc::new(object.counters)));
        Ok(())
    }

    /// Pins the program for the policy `drop`, so that it outlives this process, and removes the pin for
    /// `pass`.
    ///
    /// # Errors
    /// [`PinError`]: the program is detached when this process ends.
    pub fn update_pin(&mut self, no_socket: NoSocketPolicy, pins: &Pins) -> Result<(), PinError> {
        match no_socket {
            // An earlier pin may have been removed since.
            NoSocketPolicy::Drop => {
                self.attached.pin = pins.find(self.attached.ifindex).map(|(_, pin)| pin);
                if self.attached.pin.is_none() {
                    self.attached.pin = Some(pins.pin(self.attached.ifindex, &self.attached.bpf_link)?);
                }
            }
            NoSocketPolicy::Pass => self.attached.pin.take().iter().for_each(|pin| remove_pin(pin)),
        }
        Ok(())
    }

    /// Detaches the program from the link, and removes its pin.
    pub fn detach(self) {
        detach(&self.attached.bpf_link, self.attached.ifindex, self.attached.pin.as_deref());
    }

    /// The mode that the program is attached in.
    #[must_use]
    pub const fn mode(&self) -> XdpMode {
        self.mode
    }

    /// The record to verify the link against.
    #[must_use]
    pub const fn attached(&self) -> &AttachedProgram {
        &self.attached
    }

    /// Redirects the frames of `queue` to `socket` from now on.
    ///
    /// # Errors
    /// [`ProgramError::Map`].
    pub fn steer(&self, queue: QueueId, socket: BorrowedFd<'_>) -> Result<(), ProgramError> {
        let key = u32::from(queue.0).to_ne_bytes();
        let value = socket.as_raw_fd().to_ne_bytes();
        self.sockets.update(&key, &value, MapFlags::ANY).map_err(ProgramError::Map)
    }

    /// The counters of the program, until it is [renewed](Self::renew).
    #[must_use]
    pub const fn counters(&self) -> &ProgramCounters {
        &self.counters
    }
}

fn attach_generic(object: Loaded, ifindex: IfIndex) -> Result<SteerProgram, ProgramError> {
    let bpf_link = BpfLink::attach(&object.program, ifindex, libbpf_sys::XDP_FLAGS_SKB_MODE);
    SteerProgram::new(bpf_link.map_err(ProgramError::Generic)?, ifindex, None, object, XdpMode::Generic)
}

fn detach(bpf_link: &BpfLink, ifindex: IfIndex, pin: Option<&Path>) {
    if let Err(error) = bpf_link.detach() {
        tracing::warn!(%ifindex, "cannot take the XDP program off: {error}");
    }
    if let Some(pin) = pin {
        remove_pin(pin);
    }
}

/// Loads a program for `mode`, in which `bpf_link` has its present one attached, and replaces that one.
fn replace(
    loader: &mut SteerLoader,
    bpf_link: &BpfLink,
    ifindex: IfIndex,
    mode: XdpMode,
    options: ProgramOptions,
) -> Result<Loaded, ProgramError> {
    let bound_to = (mode != XdpMode::Generic).then_some(ifindex);
    let object = loader.load(bound_to, options.no_socket, options.queues)?;
    bpf_link.replace(&object.program).map_err(ProgramError::Replace)?;
    Ok(object)
}
