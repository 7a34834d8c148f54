//! The program of a port's link (`bpf/steer.bpf.c`).

use std::io;
use std::ops::Deref;

use libbpf_rs::{ErrorKind, libbpf_sys};

use super::error::ProgramError;
use super::loader::{Loaded, ProgramKind, ProgramLoader};
use super::xdp_program::{XdpProgram, refusal};
use crate::kernel::bpf_link::BpfLink;
use crate::kernel::inspect::{self, XdpMode};
use crate::kernel::pins::{PinError, Pins, remove_pin};
use crate::types::{IfIndex, NoSocketPolicy};

/// The program of a port, which redirects all frames. It replaces the program of an earlier run without a gap
/// and can be pinned.
#[derive(Debug)]
pub struct SteerProgram(XdpProgram);

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

impl SteerProgram {
    /// Loads the program for the link `ifindex` and attaches it. It replaces the program that an earlier run
    /// left pinned, if any. Until [`steer`](XdpProgram::steer) is called, frames have the outcome of
    /// `options.no_socket`.
    ///
    /// # Errors
    /// [`ProgramError`]. A pinned program stays attached then.
    pub fn attach(
        loader: &mut ProgramLoader,
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
                return Ok(Self(XdpProgram::new(bpf_link, ifindex, Some(pin), object, mode)?));
            }
            if let Err(error) = bpf_link.detach() {
                tracing::warn!(%ifindex, "cannot take the XDP program off: {error}");
            }
            remove_pin(&pin);
        }
        Self::attach_first(loader, ifindex, options)
    }

    fn attach_first(
        loader: &mut ProgramLoader,
        ifindex: IfIndex,
        options: ProgramOptions,
    ) -> Result<Self, ProgramError> {
        let ProgramOptions { queues, no_socket, allow_generic } = options;
        let mut load = |bound_to| loader.load(ProgramKind::Port(no_socket), bound_to, queues);
        let native = match load(Some(ifindex)) {
            Ok(object) => match XdpProgram::attach_native(&object, ifindex) {
                Ok(bpf_link) => {
                    return Ok(Self(XdpProgram::new(bpf_link, ifindex, None, object, XdpMode::Native)?));
                }
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
        let native = refusal(ifindex, native)?;
        if !allow_generic {
            return Err(ProgramError::NotNative(native));
        }
        let object = load(None)?;
        let bpf_link = BpfLink::attach(&object.program, ifindex, libbpf_sys::XDP_FLAGS_SKB_MODE);
        let bpf_link = bpf_link.map_err(ProgramError::Generic)?;
        Ok(Self(XdpProgram::new(bpf_link, ifindex, None, object, XdpMode::Generic)?))
    }

    /// Whether it can be [renewed](Self::renew) with these options.
    #[must_use]
    pub fn can_renew_with(&self, options: ProgramOptions) -> bool {
        let attached = &self.0.attached;
        let ifindex = attached.bpf_link.info().ok().and_then(|info| info.ifindex);
        ifindex == Some(attached.ifindex) && options.allows(self.0.mode)
    }

    /// Replaces the program by a new one, atomically. The new one has no sockets yet.
    ///
    /// # Errors
    /// [`ProgramError`]; the old program stays attached then.
    pub fn renew(&mut self, loader: &mut ProgramLoader, options: ProgramOptions) -> Result<(), ProgramError> {
        let attached = &self.0.attached;
        let object = replace(loader, &attached.bpf_link, attached.ifindex, self.0.mode, options)?;
        self.0.replaced_by(object)
    }

    /// Pins the program for the policy `drop`, so that it outlives this process, and removes the pin for
    /// `pass`.
    ///
    /// # Errors
    /// [`PinError`]: the program is detached when this process ends.
    pub fn update_pin(&mut self, no_socket: NoSocketPolicy, pins: &Pins) -> Result<(), PinError> {
        let attached = &mut self.0.attached;
        match no_socket {
            // An earlier pin may have been removed since.
            NoSocketPolicy::Drop => {
                attached.pin = pins.find(attached.ifindex).map(|(_, pin)| pin);
                if attached.pin.is_none() {
                    attached.pin = Some(pins.pin(attached.ifindex, &attached.bpf_link)?);
                }
            }
            NoSocketPolicy::Pass => attached.pin.take().iter().for_each(|pin| remove_pin(pin)),
        }
        Ok(())
    }

    /// Detaches the program from the link, and removes its pin.
    pub fn detach(self) {
        self.0.detach();
    }
}

impl Deref for SteerProgram {
    type Target = XdpProgram;

    fn deref(&self) -> &XdpProgram {
        &self.0
    }
}

/// Loads a program for `mode`, in which `bpf_link` has its present one attached, and replaces that one.
fn replace(
    loader: &mut ProgramLoader,
    bpf_link: &BpfLink,
    ifindex: IfIndex,
    mode: XdpMode,
    options: ProgramOptions,
) -> Result<Loaded, ProgramError> {
    let bound_to = (mode != XdpMode::Generic).then_some(ifindex);
    let object = loader.load(ProgramKind::Port(options.no_socket), bound_to, options.queues)?;
    bpf_link.replace(&object.program).map_err(ProgramError::Replace)?;
    Ok(object)
}
