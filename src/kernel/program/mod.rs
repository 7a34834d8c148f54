//! The life of the XDP program on one link: load, attach, steer to sockets, count, replace, detach.
//!
//! The program is held by a `bpf_link`, which is ours: while we live nobody replaces it. When we are killed, what the
//! port's policy says becomes true. `pass`: the kernel takes the program off with our last descriptor of the `bpf_link`.
//! `drop`: a pin holds it there, where it finds no socket any more and drops all frames, until the next start adopts it.

mod attachable;
mod attached;
mod bpf_link;
mod loader;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libbpf_rs::{ErrorKind, MapCore, MapFlags, MapHandle, PrintLevel, libbpf_sys};

use super::inspect::{self, XdpMode};
use super::pins::{self, PinError, Pins};
use crate::types::NoSocketPolicy;
use crate::types::{IfIndex, QueueId};
pub use attachable::PageBoundError;
pub use attached::{AttachedProgram, ProgramChange};
pub(super) use bpf_link::BpfLink;
use loader::Loaded;
pub use loader::SteerLoader;

/// The program of `bpf/steer.bpf.c`, attached to a link until it is dropped; or, if it is pinned, [detached](Self::detach).
#[derive(Debug)]
pub struct SteerProgram {
    attached: AttachedProgram,
    mode: XdpMode,
    sockets: MapHandle,
    counters: MapHandle,
}

/// Sends what libbpf has to say, verifier logs for one, to our log instead of stderr. The errors say it shorter.
pub fn log_libbpf() {
    libbpf_rs::set_print(Some((PrintLevel::Debug, |_, text| tracing::debug!("{}", text.trim_end()))));
}

/// How to steer the frames of one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramOptions {
    /// RX queues of the link.
    pub queues: u16,
    /// What becomes of frames while their queue has no socket.
    pub no_socket: NoSocketPolicy,
    /// Fall back to generic mode, in which tags beside the frame are lost.
    pub allow_generic: bool,
}

impl ProgramOptions {
    fn allows(self, mode: XdpMode) -> bool {
        mode != XdpMode::Generic || self.allow_generic
    }
}

/// What the program did so far, in frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SteerCounters {
    /// Sent to a socket.
    pub redirected: u64,
    /// Left to the kernel: no socket, policy `pass`.
    pub passed: u64,
    /// Dropped: no socket and policy `drop`, or a tag that could not be put back.
    pub dropped: u64,
}

/// Why the program is not on a link.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The kernel refused to load it.
    #[error("cannot load the XDP program: {error}{advice}; `trunkpath check` says what is missing", error = .0, advice = advice(.0))]
    Load(#[source] libbpf_rs::Error),
    /// The kernel has no way to show an XDP program a tag that travels beside a frame.
    #[error(
        "the kernel cannot show a VLAN tag that travels beside its frame (Linux 6.8 or newer with BTF can): a guest could hide a tag from the switch -> boot a newer kernel, or, if its guest is to be trusted with tags, take the port without that by `allow_generic = true`"
    )]
    NoTagReader,
    /// It is too long to be bound to a device.
    #[error(transparent)]
    PageBound(PageBoundError),
    /// Another program holds the link.
    #[error("another XDP program holds the link: {holder}; detach it first")]
    Held {
        /// Its name and id, as far as the kernel says.
        holder: String,
    },
    /// The driver has no native XDP, or not for this device's present settings.
    #[error(
        "the driver does not take an XDP program in native mode ({0}); `allow_generic = true` takes generic mode instead, in which a guest can hide a VLAN tag from the switch"
    )]
    NotNative(#[source] io::Error),
    /// ERANGE, as veth says it.
    #[error("its MTU, or its peer's, is too large for XDP with this driver: set both to 1500")]
    Mtu,
    /// ENOSPC, as veth says it.
    #[error(
        "it has fewer RX queues than its peer has TX queues, and XDP needs one for each: make the device with as many"
    )]
    Queues,
    /// Any other answer: the device went away meanwhile, say.
    #[error("cannot attach the XDP program: {0}")]
    Attach(#[source] io::Error),
    /// Generic mode failed as well.
    #[error("cannot attach the XDP program in generic mode: {0}")]
    Generic(#[source] io::Error),
    /// The program of an earlier run, or an earlier one of ours, does not make way.
    #[error(
        "cannot replace the program that stands on the link: {0}; stop the switch, and `trunkpath check --clean` removes it"
    )]
    Replace(#[source] io::Error),
    /// A map refused an entry.
    #[error("cannot use a map of the XDP program: {0}")]
    Map(#[source] libbpf_rs::Error),
}

impl SteerProgram {
    /// Loads the program for the link `ifindex` and attaches it, in the place of the one that an earlier run left
    /// pinned, if any. Frames meet the policy for a missing socket until [`steer`](Self::steer) is called.
    ///
    /// # Errors
    /// [`ProgramError`]. What was pinned stays then.
    pub fn attach(
        steer: &mut SteerLoader,
        ifindex: IfIndex,
        options: ProgramOptions,
        pins: Option<&Pins>,
    ) -> Result<Self, ProgramError> {
        if let Some((link, pin)) = pins.and_then(|pins| pins.find(ifindex)) {
            let attached = inspect::xdp(ifindex).ok().and_then(|xdp| xdp.attached);
            let mode = attached.map_or(XdpMode::Native, |attached| attached.mode);
            if options.allows(mode) {
                let loaded = replace(steer, &link, ifindex, mode, options)?;
                tracing::info!(pin = %pin.display(), "program of an earlier run adopted");
                return Self::new(link, ifindex, Some(pin), loaded, mode);
            }
            take_off(&link, ifindex, Some(&pin));
        }
        Self::attach_first(steer, ifindex, options)
    }

    fn attach_first(
        steer: &mut SteerLoader,
        ifindex: IfIndex,
        options: ProgramOptions,
    ) -> Result<Self, ProgramError> {
        let ProgramOptions { queues, no_socket, allow_generic } = options;
        let mut load = |device| steer.load(device, no_socket, queues);
        let native = match load(Some(ifindex)) {
            Ok(loaded) => match BpfLink::attach(&loaded.program, ifindex, libbpf_sys::XDP_FLAGS_DRV_MODE) {
                Ok(link) => return Self::new(link, ifindex, None, loaded, XdpMode::Native),
                Err(error) => error,
            },
            // A driver without native XDP does not even let a program be bound to its device.
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
            let holder = format!("program {} ({})", attached.program, inspect::owner_of(attached.program));
            return Err(ProgramError::Held { holder });
        }
        match native.raw_os_error() {
            Some(libc::ERANGE) => return Err(ProgramError::Mtu),
            Some(libc::ENOSPC) => return Err(ProgramError::Queues),
            // What drivers without native XDP, or without bound programs, say.
            Some(libc::EOPNOTSUPP | libc::EINVAL) if allow_generic => {}
            Some(libc::EOPNOTSUPP | libc::EINVAL) => return Err(ProgramError::NotNative(native)),
            _ => return Err(ProgramError::Attach(native)),
        }
        attach_generic(load(None)?, ifindex)
    }

    fn new(
        link: BpfLink,
        ifindex: IfIndex,
        pin: Option<PathBuf>,
        loaded: Loaded,
        mode: XdpMode,
    ) -> Result<Self, ProgramError> {
        let program = link.info().map_err(ProgramError::Attach)?.program;
        let attached = AttachedProgram { link: Arc::new(link), ifindex, program, pin };
        Ok(Self { attached, mode, sockets: loaded.sockets, counters: loaded.counters })
    }

    /// Whether it can be [renewed](Self::renew) with these options.
    #[must_use]
    pub fn can_renew_with(&self, options: ProgramOptions) -> bool {
        let device = self.attached.link.info().ok().and_then(|info| info.device);
        device == Some(self.attached.ifindex) && options.allows(self.mode)
    }

    /// Puts a new program in the place of this one, without a moment in between. It knows no sockets yet.
    ///
    /// # Errors
    /// [`ProgramError`]; the old one stays then.
    pub fn renew(&mut self, steer: &mut SteerLoader, options: ProgramOptions) -> Result<(), ProgramError> {
        let AttachedProgram { link, ifindex, .. } = &self.attached;
        let loaded = replace(steer, link, *ifindex, self.mode, options)?;
        self.attached.program = self.attached.link.info().map_err(ProgramError::Replace)?.program;
        (self.sockets, self.counters) = (loaded.sockets, loaded.counters);
        Ok(())
    }

    /// Makes it stay on the link when we are killed, if it drops what finds no socket; and only then.
    ///
    /// # Errors
    /// [`PinError`]: it ends with us.
    pub fn update_pin(&mut self, no_socket: NoSocketPolicy, pins: &Pins) -> Result<(), PinError> {
        match no_socket {
            // A pin that was made before may have been removed since.
            NoSocketPolicy::Drop => {
                self.attached.pin = pins.find(self.attached.ifindex).map(|(_, pin)| pin);
                if self.attached.pin.is_none() {
                    self.attached.pin = Some(pins.pin(self.attached.ifindex, &self.attached.link)?);
                }
            }
            NoSocketPolicy::Pass => self.attached.pin.take().iter().for_each(|pin| pins::remove(pin)),
        }
        Ok(())
    }

    /// Takes it off the link.
    pub fn detach(self) {
        take_off(&self.attached.link, self.attached.ifindex, self.attached.pin.as_deref());
    }

    /// The mode in force.
    #[must_use]
    pub const fn mode(&self) -> XdpMode {
        self.mode
    }

    /// What was recorded of it.
    #[must_use]
    pub const fn attached(&self) -> &AttachedProgram {
        &self.attached
    }

    /// Sends the frames of `queue` to `socket` from now on.
    ///
    /// # Errors
    /// [`ProgramError::Map`].
    pub fn steer(&self, queue: QueueId, socket: BorrowedFd<'_>) -> Result<(), ProgramError> {
        let key = u32::from(queue.0).to_ne_bytes();
        let value = socket.as_raw_fd().to_ne_bytes();
        self.sockets.update(&key, &value, MapFlags::ANY).map_err(ProgramError::Map)
    }

    /// The program's counters, summed over the CPUs.
    ///
    /// # Errors
    /// [`ProgramError::Map`].
    pub fn counters(&self) -> Result<SteerCounters, ProgramError> {
        read_counters(&self.counters)
    }
}

fn attach_generic(loaded: Loaded, ifindex: IfIndex) -> Result<SteerProgram, ProgramError> {
    let link = BpfLink::attach(&loaded.program, ifindex, libbpf_sys::XDP_FLAGS_SKB_MODE);
    SteerProgram::new(link.map_err(ProgramError::Generic)?, ifindex, None, loaded, XdpMode::Generic)
}

fn read_counters(map: &MapHandle) -> Result<SteerCounters, ProgramError> {
    // The order of `enum steer_counter` in bpf/steer_abi.h.
    let [redirected, passed, dropped] = [0_u32, 1, 2].map(|counter| {
        let cpus = map.lookup_percpu(&counter.to_ne_bytes(), MapFlags::ANY).map_err(ProgramError::Map)?;
        let values = cpus.iter().flatten().filter_map(|bytes| bytes.first_chunk().copied());
        Ok(values.map(u64::from_ne_bytes).sum())
    });
    Ok(SteerCounters { redirected: redirected?, passed: passed?, dropped: dropped? })
}

/// What is missing most likely. Without the types of the kernel libbpf reports all kinds of errors, a missing permission
/// among them.
fn advice(error: &libbpf_rs::Error) -> &'static str {
    if !inspect::has_btf() {
        " (the kernel's types are not there: mount sysfs at /sys, or boot a kernel with CONFIG_DEBUG_INFO_BTF=y, which has them in /sys/kernel/btf/vmlinux)"
    } else if error.kind() == ErrorKind::PermissionDenied {
        " (it takes CAP_BPF and CAP_NET_ADMIN)"
    } else {
        ""
    }
}

fn take_off(link: &BpfLink, ifindex: IfIndex, pin: Option<&Path>) {
    if let Err(error) = link.detach() {
        tracing::warn!(%ifindex, "cannot take the XDP program off: {error}");
    }
    if let Some(pin) = pin {
        pins::remove(pin);
    }
}

/// Loads a program for the mode in which `link` holds its present one, and puts it in the place of that.
fn replace(
    steer: &mut SteerLoader,
    link: &BpfLink,
    ifindex: IfIndex,
    mode: XdpMode,
    options: ProgramOptions,
) -> Result<Loaded, ProgramError> {
    let device = (mode != XdpMode::Generic).then_some(ifindex);
    let loaded = steer.load(device, options.no_socket, options.queues)?;
    link.replace(&loaded.program).map_err(ProgramError::Replace)?;
    Ok(loaded)
}
