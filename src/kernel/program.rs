//! The life of the XDP program on one link: load, attach, steer to sockets, count, detach.
//!
//! The program is held by a `bpf_link`, whose file descriptor is ours alone: while we live nobody replaces it, and
//! when we die, however that happens, the kernel takes it off the link.

mod loader;

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use libbpf_rs::libbpf_sys::{self, bpf_link_create_opts};
use libbpf_rs::{ErrorKind, MapCore, MapFlags, MapHandle, PrintLevel};

use super::inspect::{self, XdpMode};
use crate::config::NoSocketPolicy;
use crate::types::{IfIndex, QueueId};
use loader::Loaded;
pub use loader::SteerLoader;

/// The program of `bpf/steer.bpf.c`, attached to a link until it is dropped.
#[derive(Debug)]
pub struct SteerProgram {
    _link: OwnedFd,
    sockets: MapHandle,
    counters: MapHandle,
    mode: XdpMode,
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
    /// A map refused an entry.
    #[error("cannot use a map of the XDP program: {0}")]
    Map(#[source] libbpf_rs::Error),
}

impl SteerProgram {
    /// Loads the program for the link `ifindex` and attaches it. Frames meet the policy for a missing socket until
    /// [`steer`](Self::steer) is called.
    ///
    /// # Errors
    /// [`ProgramError`].
    pub fn attach(
        steer: &mut SteerLoader,
        ifindex: IfIndex,
        options: ProgramOptions,
    ) -> Result<Self, ProgramError> {
        let ProgramOptions { queues, no_socket, allow_generic } = options;
        let mut load = |device| steer.load(device, no_socket, queues).map_err(ProgramError::Load);
        let native = match load(Some(ifindex)) {
            Ok(loaded) => match link(&loaded.program, ifindex, libbpf_sys::XDP_FLAGS_DRV_MODE) {
                Ok(link) => return Ok(Self::new(link, loaded, XdpMode::Native)),
                Err(error) => error,
            },
            // A driver without native XDP does not even let a program be bound to its device.
            Err(ProgramError::Load(error)) if error.kind() == ErrorKind::Unsupported => {
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
        let loaded = load(None)?;
        let link = link(&loaded.program, ifindex, libbpf_sys::XDP_FLAGS_SKB_MODE);
        Ok(Self::new(link.map_err(ProgramError::Generic)?, loaded, XdpMode::Generic))
    }

    fn new(link: OwnedFd, loaded: Loaded, mode: XdpMode) -> Self {
        Self { _link: link, sockets: loaded.sockets, counters: loaded.counters, mode }
    }

    /// The mode in force.
    #[must_use]
    pub const fn mode(&self) -> XdpMode {
        self.mode
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

fn read_counters(map: &MapHandle) -> Result<SteerCounters, ProgramError> {
    // The order of `enum steer_counter` in bpf/steer_abi.h.
    let [redirected, passed, dropped] = [0_u32, 1, 2].map(|counter| {
        let cpus = map.lookup_percpu(&counter.to_ne_bytes(), MapFlags::ANY).map_err(ProgramError::Map)?;
        let values = cpus.iter().flatten().filter_map(|bytes| bytes.first_chunk().copied());
        Ok(values.map(u64::from_ne_bytes).sum())
    });
    Ok(SteerCounters { redirected: redirected?, passed: passed?, dropped: dropped? })
}

fn advice(error: &libbpf_rs::Error) -> &'static str {
    if error.kind() == ErrorKind::PermissionDenied { " (it takes CAP_BPF and CAP_NET_ADMIN)" } else { "" }
}

/// Attaches the program with a `bpf_link` of our own making: libbpf's falls back to generic mode without a word.
fn link(program: &OwnedFd, ifindex: IfIndex, mode: u32) -> Result<OwnedFd, io::Error> {
    let options = bpf_link_create_opts {
        sz: size_of::<bpf_link_create_opts>() as libbpf_sys::size_t,
        flags: mode,
        ..bpf_link_create_opts::default()
    };
    // SAFETY: `options` lives through the call and its size is given; the two numbers are just looked up.
    let link = unsafe {
        libbpf_sys::bpf_link_create(
            program.as_raw_fd(),
            ifindex.get().cast_signed(),
            libbpf_sys::BPF_XDP,
            &raw const options,
        )
    };
    if link < 0 {
        return Err(io::Error::from_raw_os_error(-link));
    }
    // SAFETY: the kernel returned a new descriptor, which nobody else knows.
    Ok(unsafe { OwnedFd::from_raw_fd(link) })
}
