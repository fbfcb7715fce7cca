//! Puts the daemon's socket where clients look for it, private from its first moment.

use crate::io::private_dir;
use coalmine_actors::error::FleetError;
use rustix::{
    fs::{Mode, fchmod},
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with},
};
use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::fs::{FileTypeExt, MetadataExt},
    },
    path::{Path, PathBuf},
};
use tokio::net::UnixListener;

/// Connections that the kernel keeps waiting; it has its own limit, `net.core.somaxconn`.
const BACKLOG_MAX: i32 = 4096;

/// A listening socket, and the file that it may unlink at its end.
pub(super) struct Bound {
    pub(super) listener: UnixListener,
    path: PathBuf,
    /// Nothing where the service manager bound it: it stays the manager's, and starts the next daemon.
    file: Option<(u64, u64)>,
}

impl Bound {
    /// Whether the file is ours to make and to remove.
    pub(super) fn is_own(&self) -> bool {
        self.file.is_some()
    }

    /// Whether the file that clients find is still the one that was bound.
    pub(super) fn is_in_place(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|meta| Some((meta.dev(), meta.ino())) == self.file)
    }

    /// Unlinks the file, unless a successor has put its own there.
    pub(super) fn remove(self) {
        if self.is_in_place() {
            let _gone = fs::remove_file(&self.path);
        }
    }
}

/// Binds `path` with mode 0600 in a folder with mode 0700.
///
/// A socket that lies there is stale, because the caller holds the fleet's lock; anything else is left alone.
pub(super) fn bind_private(path: &Path) -> Result<Bound, FleetError> {
    private_dir::ensure(path.parent().unwrap_or(Path::new("/")))?;
    clear(path)?;
    let failed = |op: &'static str| move |error: rustix::io::Errno| FleetError::io(op, path, error.into());
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(failed("open a socket for"))?;
    // On Linux the file that `bind` makes takes the mode of the socket, whatever the umask of an embedder is.
    fchmod(&socket, Mode::RUSR | Mode::WUSR).map_err(failed("protect"))?;
    let address = SocketAddrUnix::new(path).map_err(failed("name"))?;
    bind(&socket, &address).map_err(failed("bind"))?;
    listen(&socket, BACKLOG_MAX).map_err(failed("listen on"))?;
    let meta = fs::symlink_metadata(path).map_err(|source| FleetError::io("inspect", path, source))?;
    Ok(Bound { listener: listener(socket, path)?, path: path.to_path_buf(), file: Some((meta.dev(), meta.ino())) })
}

/// Takes over a socket that listens at `path` already.
pub(super) fn inherit(socket: OwnedFd, path: &Path) -> Result<Bound, FleetError> {
    rustix::io::ioctl_fionbio(&socket, true).map_err(|error| FleetError::io("listen on", path, error.into()))?;
    Ok(Bound { listener: listener(socket, path)?, path: path.to_path_buf(), file: None })
}

fn listener(socket: OwnedFd, path: &Path) -> Result<UnixListener, FleetError> {
    UnixListener::from_std(socket.into()).map_err(|source| FleetError::io("listen on", path, source))
}

fn clear(path: &Path) -> Result<(), FleetError> {
    match fs::symlink_metadata(path) {
        Err(absent) if absent.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(FleetError::io("inspect", path, source)),
        Ok(meta) if meta.file_type().is_socket() => {
            fs::remove_file(path).map_err(|source| FleetError::io("replace", path, source))
        }
        Ok(_) => {
            Err(FleetError::Unsafe { path: path.to_path_buf(), why: "lies where the daemon's socket belongs".into() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_private_and_a_stale_one_is_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("run/daemon.sock");
        let first = bind_private(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let second = bind_private(&path).unwrap();
        // The first one's file is gone; its end must not take the successor's.
        first.remove();
        assert!(path.exists());
        second.remove();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_is_left_alone() {
        let temp = tempfile::tempdir().unwrap();
        private_dir::ensure(&temp.path().join("run")).unwrap();
        let path = temp.path().join("run/daemon.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(bind_private(&path), Err(FleetError::Unsafe { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
