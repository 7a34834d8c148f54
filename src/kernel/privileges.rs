//! Dropping the capabilities that a running switch does not need.

use caps::errors::CapsError;
use caps::{CapSet, Capability, CapsHashSet};
use rustix::process::geteuid;
use rustix::thread::set_no_new_privs;

use super::inspect::NEEDED;

/// Capabilities that a daemon of user root keeps as well: to determine which process holds a link, and to use
/// files of other users.
const OF_ROOT: [Capability; 4] = [
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_CHOWN,
];

/// Drops, permanently, every capability that is not needed once the pin folder exists, and clears those that
/// a started program would inherit. It applies to this thread and to the threads that it starts from now on.
///
/// # Errors
/// The error of the kernel; capabilities may have been dropped before it.
pub fn drop_privileges() -> Result<(), CapsError> {
    let of_root = OF_ROOT.into_iter().filter(|_| geteuid().is_root());
    let needed: CapsHashSet = NEEDED.into_iter().chain(of_root).collect();
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
    // The switch starts no programs. An exploit that starts one gains no capabilities by it.
    set_no_new_privs(true).map_err(|error| CapsError::from(error.to_string()))
}
