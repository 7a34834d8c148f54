//! Options of sockets (`setsockopt(2)`) that no crate has.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Sets a socket option.
///
/// # Safety
/// `value` has the type of the option, and its pointers are valid.
///
/// # Errors
/// The one that the kernel returns.
pub(super) unsafe fn set_option<T>(
    socket: impl AsFd,
    level: libc::c_int,
    option: libc::c_int,
    value: &T,
) -> io::Result<()> {
    let socket = socket.as_fd().as_raw_fd();
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: `socket` is open, and `value` has `len` bytes; the caller vouches for its type.
    let result = unsafe { libc::setsockopt(socket, level, option, (&raw const *value).cast(), len) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
