//! The daemon's first acts, before any thread exists: what it must not pass on, leave behind or die of (spec 01 §3).
//!
//! They change the whole process, so they belong to the binary; an embedder decides for itself.

use super::sandbox::walls::close_on_exec_from;
use nix::sys::signal::{SigHandler, Signal, signal};
use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, setrlimit, umask},
};
use std::io;

/// Hardens this process. Called once, from `main`'s thread.
///
/// # Errors
/// What the kernel refused; a descriptor that leaks into a peer could hold a lock for ever, so none is tolerated.
pub fn process() -> io::Result<()> {
    // Whatever the starting shell left open goes no further than this process.
    close_on_exec_from(3)?;
    // `up -d` runs /proc/self/exe, and by that word the kernel would call the daemon. Only a name: no failure matters.
    let _unnamed = std::fs::write("/proc/self/comm", "coalmine");
    umask(Mode::RWXG | Mode::RWXO);
    // SAFETY: `SigIgn` installs no handler, so nothing runs in signal context.
    unsafe {
        // A client that hangs up is an error of its connection, not our end.
        signal(Signal::SIGPIPE, SigHandler::SigIgn)?;
        // A file size limit becomes EFBIG, a typed error.
        signal(Signal::SIGXFSZ, SigHandler::SigIgn)?;
    }
    // A core dump would hold peers' environments.
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(())
}
