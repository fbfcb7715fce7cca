//! Where everything lies under the state root (design §5), and which socket paths fit.

use coalmine_actors::{error::FleetError, names::Identity, ports::LifeKey};
use sha2::{Digest, Sha256};
use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Longest path of a Unix socket, bytes (`sun_path` holds 108 with the closing NUL).
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// `<32>-<32>.sock`: the longest socket name a peer can have, bytes.
const SOCKET_NAME_BYTES_MAX: usize = 32 + 1 + 32 + ".sock".len();

/// The paths of one fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
    run: PathBuf,
}

impl Paths {
    /// The paths below `root`, which must exist: the sockets' place is derived from its canonical form.
    ///
    /// # Errors
    /// [`FleetError::Io`] when the root can not be resolved.
    pub fn new(root: &Path) -> Result<Self, FleetError> {
        let root = root.canonicalize().map_err(|source| FleetError::io("resolve", root, source))?;
        let run = run_dir(&root, rustix::process::getuid().as_raw());
        Ok(Self { root, run })
    }

    /// The state root itself, canonical.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the sockets.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// Whether the sockets lie outside the root because their paths would be too long.
    pub fn run_is_elsewhere(&self) -> bool {
        !self.run.starts_with(&self.root)
    }

    /// 16 hex digits that name this root in processes' environments.
    pub fn root_hash(&self) -> String {
        root_hash(&self.root)
    }

    /// What every process of a life carries as `COALMINE_LIFE`.
    pub fn life_mark(&self, life: &LifeKey) -> String {
        format!("{}-{life}", self.root_hash())
    }

    /// The daemon's lock; whoever holds it runs this fleet.
    pub fn daemon_lock(&self) -> PathBuf {
        self.root.join("daemon.lock")
    }

    /// The daemon's socket.
    pub fn daemon_socket(&self) -> PathBuf {
        self.run.join("daemon.sock")
    }

    /// The registry.
    pub fn registry(&self) -> PathBuf {
        self.root.join("fleet.json")
    }

    /// The journal's folder.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// All peers' folders.
    pub fn peers(&self) -> PathBuf {
        self.root.join("peers")
    }

    /// One identity's folder.
    pub fn peer(&self, identity: &Identity) -> PathBuf {
        self.peers().join(identity.to_string())
    }

    /// What is left of a peer's screen output.
    pub fn pane_log(&self, identity: &Identity) -> PathBuf {
        self.peer(identity).join("pane.log")
    }

    /// The socket of an identity's tmux server.
    pub fn peer_socket(&self, identity: &Identity) -> PathBuf {
        self.run.join(format!("{identity}.sock"))
    }

    /// The configuration of every peer's tmux server.
    pub fn tmux_conf(&self) -> PathBuf {
        self.run.join("tmux.conf")
    }
}

fn root_hash(root: &Path) -> String {
    Sha256::digest(root.as_os_str().as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// `<root>/run`, or a short place under /tmp where the longest socket path would not fit. `cm` and not `coalmine`:
/// with a user id of ten digits the longer name would leave too little room for a peer's.
fn run_dir(root: &Path, uid: u32) -> PathBuf {
    let run = root.join("run");
    if run.as_os_str().len() + 1 + SOCKET_NAME_BYTES_MAX <= SOCKET_PATH_BYTES_MAX {
        run
    } else {
        PathBuf::from(format!("/tmp/cm-{uid}/{}", root_hash(root)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_always_fits() {
        let longest = "/s/".to_owned() + &"x".repeat(400);
        for root in ["/s", longest.as_str()] {
            let run = run_dir(Path::new(root), u32::MAX);
            let longest_socket = run.join(format!("{}-{}.sock", "a".repeat(32), "b".repeat(32)));
            assert!(longest_socket.as_os_str().len() <= SOCKET_PATH_BYTES_MAX, "{longest_socket:?}");
        }
    }

    #[test]
    fn a_short_root_keeps_its_sockets() {
        assert_eq!(run_dir(Path::new("/s"), 0), Path::new("/s/run"));
    }
}
