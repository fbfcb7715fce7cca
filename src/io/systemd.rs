//! The service manager: what it is told (ready, alive, stopping), and the socket that it may have bound for us.
//!
//! Without one, nothing is told and nothing is passed: every call here is then a success that does nothing.

use coalmine_actors::error::FleetError;
use rustix::{
    io::{FdFlags, fcntl_setfd},
    net::{
        AddressFamily, SocketAddrUnix, SocketType, getsockname,
        sockopt::{socket_acceptconn, socket_type},
    },
};
use sd_notify::NotifyState;
use std::{
    os::{
        fd::{FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    time::Duration,
};

/// Shortest pause between two signs of life: a shorter watchdog would only burn time.
const BEAT_PAUSE_MIN: Duration = Duration::from_millis(50);

/// Tells the manager; that it can not be told is noted and changes nothing for the fleet.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager can not be told");
    }
}

/// Clients are served from now on.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is read again; `ready` follows.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_no_clock) => tell(&[NotifyState::Reloading]),
    }
}

/// The daemon is ending; its peers are not.
pub fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// A sign of life.
pub fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// The pause between two signs of life, half of what the manager waits for one; nothing where it waits for none.
pub fn beat_pause() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|longest| (longest / 2).max(BEAT_PAUSE_MIN))
}

/// The listening socket that the manager bound for this process at `path`; nothing where it passed none.
///
/// Called once: the descriptor is taken, not shared.
///
/// # Errors
/// It passed several, or one that is not a Unix stream socket listening at `path`.
pub fn listener(path: &Path) -> Result<Option<OwnedFd>, FleetError> {
    let bad = |what: String| FleetError::Usage {
        what,
        hint: format!(
            "set `ListenStream={}` in the socket unit, once; `coalmine install --activate` does",
            path.display()
        ),
    };
    let passed: Vec<_> = sd_notify::listen_fds().map_err(|error| bad(format!("LISTEN_FDS: {error}")))?.collect();
    let fd = match passed.as_slice() {
        [] => return Ok(None),
        [one] => *one,
        several => return Err(bad(format!("the service manager passed {} sockets, not one", several.len()))),
    };
    // SAFETY: the manager opened it for this process, as LISTEN_PID says, and nobody else here takes it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    fcntl_setfd(&socket, FdFlags::CLOEXEC).map_err(|error| bad(format!("descriptor {fd}: {error}")))?;
    let is_listening = socket_type(&socket) == Ok(SocketType::STREAM) && socket_acceptconn(&socket) == Ok(true);
    let address = getsockname(&socket).ok().filter(|address| address.address_family() == AddressFamily::UNIX);
    let address = address.and_then(|address| SocketAddrUnix::try_from(address).ok());
    let at = address.as_ref().and_then(|address| address.path_bytes().map(<[u8]>::to_vec));
    match at {
        Some(at) if is_listening && at == path.as_os_str().as_bytes() => Ok(Some(socket)),
        Some(at) if is_listening => {
            Err(bad(format!("the service manager passed the socket {}", String::from_utf8_lossy(&at))))
        }
        _ => Err(bad("what the service manager passed is no listening Unix socket".into())),
    }
}
