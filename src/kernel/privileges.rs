//! Giving up the rights that a running switch does not need.

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use rustix::process::geteuid;
use rustix::thread::set_no_new_privs;

use super::inspect::NEEDED;

/// What root keeps besides, for that is why it is root: to see which process holds a device, and to use files of others.
const OF_ROOT: [Capability; 4] = [
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_CHOWN,
];

/// Drops every capability that nothing needs once the pin folder is there, for good, and hands none to other programs.
/// It is this thread's rights, and those of the threads that it starts from now on.
///
/// # Errors
/// The kernel's refusal; what was not dropped until then is still there.
pub fn drop_privileges() -> Result<(), CapsError> {
    let besides = OF_ROOT.into_iter().filter(|_| geteuid().is_root());
    let needed: CapsHashSet = NEEDED.into_iter().chain(besides).collect();
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP)? {
        for surplus in caps::read(None, CapSet::Bounding)?.difference(&needed) {
            caps::drop(None, CapSet::Bounding, *surplus)?;
        }
    }
    let kept: CapsHashSet = caps::read(None, CapSet::Permitted)?.intersection(&needed).copied().collect();
    caps::clear(None, CapSet::Ambient)?;
    caps::clear(None, CapSet::Inheritable)?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)?;
    // We start no programs. Should something make us, they get no more than we have.
    set_no_new_privs(true).map_err(|error| CapsError::from(error.to_string()))
}
