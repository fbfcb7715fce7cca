//! Where everything lies under the state root (design §5), and which socket paths fit.

use coalmine_actors::{error::FleetError, names::Identity, ports::LifeKey};
use sha2::{Digest, Sha256};
use std::{
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Longest path of a Unix socket, bytes (`sun_path` holds 108 with the closing NUL).
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// The paths of one fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
    run: PathBuf,
    /// Where sockets go whose path below the root would be too long.
    short_run: PathBuf,
}

impl Paths {
    /// The paths below `root`, which must exist: the sockets' place is derived from its canonical form.
    ///
    /// # Errors
    /// [`FleetError::Io`] when the root can not be resolved.
    pub fn new(root: &Path) -> Result<Self, FleetError> {
        let root = root.canonicalize().map_err(|source| FleetError::io("resolve", root, source))?;
        Ok(Self::below(root, rustix::process::getuid().as_raw()))
    }

    /// `cm` and not `coalmine` under /tmp: with a user id of ten digits the longer name would leave too little room
    /// for a peer's.
    fn below(root: PathBuf, uid: u32) -> Self {
        let short_run = PathBuf::from(format!("/tmp/cm-{uid}/{}", root_hash(&root)));
        Self { run: root.join("run"), root, short_run }
    }

    /// The state root itself, canonical.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the sockets.
    pub fn run(&self) -> &Path {
        &self.run
    }

    /// The folder of those sockets whose path would be too long below the root; made when there is one.
    pub fn short_run(&self) -> &Path {
        &self.short_run
    }

    /// Where a socket of this name lies.
    fn socket(&self, name: &str) -> PathBuf {
        let path = self.run.join(name);
        if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX { path } else { self.short_run.join(name) }
    }

    /// 16 hex digits that name this root in processes' environments.
    pub fn root_hash(&self) -> String {
        root_hash(&self.root)
    }

    /// What every process of a life carries as `COALMINE_LIFE`.
    pub fn life_mark(&self, life: &LifeKey) -> String {
        format!("{}-{life}", self.root_hash())
    }

    /// What the marks of all lives of an identity begin with; its generation follows.
    pub fn life_marks(&self, identity: &Identity) -> String {
        format!("{}-{identity}-g", self.root_hash())
    }

    /// The daemon's lock; whoever holds it runs this fleet.
    pub fn daemon_lock(&self) -> PathBuf {
        self.root.join("daemon.lock")
    }

    /// The daemon's socket.
    pub fn daemon_socket(&self) -> PathBuf {
        self.socket("daemon.sock")
    }

    /// The registry.
    pub fn registry(&self) -> PathBuf {
        self.root.join("fleet.json")
    }

    /// The memory.
    pub fn memory(&self) -> PathBuf {
        self.root.join("memory.jsonl")
    }

    /// The cache by which the memory is searched.
    pub fn memory_index(&self) -> PathBuf {
        self.root.join("memory-index.sqlite")
    }

    /// What the memory provider declares of itself.
    pub fn memory_provider(&self) -> PathBuf {
        self.root.join("memory-provider.json")
    }

    /// Who uses what providers installed once for the whole host.
    pub fn host_plugins(&self) -> PathBuf {
        self.root.join("host-plugins.json")
    }

    /// The folder of the attachments.
    pub fn attachments(&self) -> PathBuf {
        self.root.join("attachments")
    }

    /// Who refers to which attachment.
    pub fn attachments_manifest(&self) -> PathBuf {
        self.attachments().join("manifest.sqlite")
    }

    /// The folder of policies.
    pub fn policies(&self) -> PathBuf {
        self.root.join("policies")
    }

    /// What is written down of effects: the audit log, and what peers print.
    pub fn effects(&self) -> PathBuf {
        self.root.join("effects")
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

    /// The lock that an identity's server holds as long as it lives.
    pub fn server_lock(&self, identity: &Identity) -> PathBuf {
        self.peer(identity).join("server.lock")
    }

    /// The socket of an identity's tmux server.
    pub fn peer_socket(&self, identity: &Identity) -> PathBuf {
        self.socket(&format!("{identity}.sock"))
    }

    /// The configuration of every peer's tmux server.
    pub fn tmux_conf(&self) -> PathBuf {
        self.run.join("tmux.conf")
    }
}

fn root_hash(root: &Path) -> String {
    Sha256::digest(root.as_os_str().as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest() -> Identity {
        format!("{}-{}", "a".repeat(32), "b".repeat(32)).parse().unwrap()
    }

    #[test]
    fn a_socket_path_always_fits() {
        let deep = "/s/".to_owned() + &"x".repeat(400);
        for root in ["/s", "/home/somebody/.local/state/coalmine", deep.as_str()] {
            let paths = Paths::below(root.into(), u32::MAX);
            for socket in [paths.daemon_socket(), paths.peer_socket(&longest())] {
                assert!(socket.as_os_str().len() <= SOCKET_PATH_BYTES_MAX, "{socket:?}");
            }
        }
    }

    #[test]
    fn only_a_socket_that_would_not_fit_lies_elsewhere() {
        let paths = Paths::below("/home/somebody/.local/state/coalmine".into(), 1000);
        let bob: Identity = "claude-bob".parse().unwrap();
        assert!(paths.peer_socket(&bob).starts_with(paths.run()));
        assert!(paths.peer_socket(&longest()).starts_with(paths.short_run()));
        assert!(paths.daemon_socket().starts_with(paths.run()));
    }
}
