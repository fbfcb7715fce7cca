//! `SO_PEERPIDFD`: the process at the other end of a Unix socket, as a descriptor (Linux 6.5).

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd},
};

/// A pidfd of the process that listens, or connected, at the other end.
///
/// # Errors
/// An older kernel; a peer that is gone.
pub(super) fn of(socket: impl AsFd) -> io::Result<OwnedFd> {
    let mut fd: RawFd = -1;
    let mut length = libc::socklen_t::try_from(mem::size_of::<RawFd>()).expect("four bytes");
    // SAFETY: the option writes one descriptor number to `fd`, whose size is passed.
    let code = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERPIDFD,
            (&raw mut fd).cast(),
            &raw mut length,
        )
    };
    if code != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
