//! `policies/<name>.toml`: read with care, for whoever may change a policy may do everything that it allows.

use super::keys::Keys;
use crate::{
    io::{
        blocking,
        inotify::{Mask, Watcher},
        private_dir,
    },
    paths::Paths,
};
use coalmine_actors::{
    effects::{
        Policy,
        folder::Folder,
        kind::is_name,
        policy::{Access, NONE},
        policy_file::{self, POLICY_BYTES_MAX},
        port::PolicySource,
        scope::Scope,
    },
    error::FleetError,
    names::Personality,
    ports::Answer,
    registry::{RegistryHandle, nearest::nearest},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::mpsc, time::sleep};

/// How long changes are gathered before they are told: an editor makes several of one.
const GATHER_TIME: Duration = Duration::from_millis(100);

/// The policies of one fleet.
#[derive(Debug, Clone)]
pub struct Policies {
    folder: PathBuf,
    never: Vec<PathBuf>,
    keys: Keys,
}

impl Policies {
    /// The policies of the fleet at `paths`.
    pub fn new(paths: &Paths) -> Self {
        let never = vec![paths.root().to_owned(), paths.short_run().to_owned()];
        Self { folder: paths.policies(), never, keys: Keys::default() }
    }

    /// The policies of the fleet below `root`; of one that is not there yet, no policy and no folder of its own.
    pub fn of_root(root: &Path) -> Self {
        let nowhere = |_no_fleet_yet| Self { folder: root.join("policies"), never: Vec::new(), keys: Keys::default() };
        Paths::new(root).map_or_else(nowhere, |paths| Self::new(&paths))
    }

    /// The same, of which none may reach one of these keys.
    #[must_use]
    pub fn keeping(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// Where the policy of this name lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.toml"))
    }

    /// The names that there are, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned());
        let mut names: Vec<_> = entries.filter_map(name).filter(|name| is_name(name) && name != NONE).collect();
        names.sort();
        names
    }

    /// The policy of this name; `none` is there without a file. Blocks.
    ///
    /// # Errors
    /// [`FleetError::UnknownPolicy`] with the nearest names; [`FleetError::BadPolicy`] with where and what.
    pub fn read(&self, name: &str) -> Result<Policy, FleetError> {
        if name == NONE {
            return Ok((*Policy::none()).clone());
        }
        let path = self.path(name);
        let unknown = || {
            let names = self.names();
            let shown: String = name.chars().take(64).collect();
            FleetError::UnknownPolicy { nearest: nearest(&shown, names.iter().map(String::as_str)), name: shown }
        };
        if !is_name(name) {
            return Err(unknown());
        }
        match open(&path) {
            Ok(file) => self.read_open(name, &path, file),
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => Err(unknown()),
            Err(error) => Err(bad(&path, format!("it can not be opened: {error}"))),
        }
    }

    /// A policy file at any path, named after it. Blocks.
    ///
    /// # Errors
    /// As [`Policies::read`].
    pub fn read_file(&self, path: &Path) -> Result<Policy, FleetError> {
        let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let file = open(path).map_err(|source| FleetError::io("open", path, source))?;
        self.read_open(name, path, file)
    }

    fn read_open(&self, name: &str, path: &Path, file: File) -> Result<Policy, FleetError> {
        let bad = |why| bad(path, why);
        check_owner(&file).map_err(bad)?;
        let mut text = String::new();
        let limit = POLICY_BYTES_MAX as u64 + 1;
        file.take(limit).read_to_string(&mut text).map_err(|error| bad(format!("it can not be read: {error}")))?;
        let mut policy = policy_file::parse(name, &text).map_err(bad)?;
        policy.never.clone_from(&self.never);
        policy.fs_read = real(policy.fs_read);
        policy.fs_write = real(policy.fs_write);
        if let Some(why) = self.keys.reached_by(&policy) {
            return Err(bad(why));
        }
        let place = path.canonicalize().map_err(|error| bad(format!("it can not be resolved: {error}")))?;
        // Reaching it by reading tells what is denied; by writing, whoever it holds could change it. In the fleet's own
        // folder no scope reaches it.
        let is_ours = self.never.iter().any(|own| place.starts_with(own));
        match policy.reaches(&place).filter(|_| !is_ours) {
            Some(Access::Write) => Err(bad("it lies in a folder that it lets be changed; move it elsewhere".into())),
            Some(Access::Read) => Err(bad("it lies in a folder that it lets be read; move it elsewhere".into())),
            None => Ok(policy),
        }
    }
}

fn bad(path: &Path, why: String) -> FleetError {
    FleetError::BadPolicy { path: path.to_owned(), why }
}

/// A file is opened without following a link, and without waiting for whoever may be at the other end.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC).open(path)
}

/// Nobody else may be able to change it.
fn check_owner(file: &File) -> Result<(), String> {
    let meta = file.metadata().map_err(|error| format!("it can not be looked at: {error}"))?;
    let uid = rustix::process::geteuid().as_raw();
    let mode = meta.mode() & 0o777;
    if !meta.is_file() {
        Err("it is not a regular file".into())
    } else if meta.uid() != uid && meta.uid() != 0 {
        Err(format!("it belongs to user {}, not to {uid} or root", meta.uid()))
    } else if mode & 0o022 != 0 {
        Err(format!("others may write it (mode {mode:03o}); `chmod go-w` it"))
    } else {
        Ok(())
    }
}

/// Where each folder is when all links are followed; as it is named where there is none yet.
fn real(scope: Scope<Folder>) -> Scope<Folder> {
    let Scope::Only(list) = scope else { return scope };
    let follow = |folder: &Folder| match folder.path().canonicalize() {
        Ok(real) => folder.clone().with_real(real),
        Err(_not_there) => folder.clone(),
    };
    Scope::only(list.as_slice().iter().map(follow).collect())
}

/// The policies that peers name in the registry.
#[derive(Clone)]
pub struct PeerPolicies {
    /// The policies.
    pub policies: Policies,
    /// Who has which.
    pub registry: RegistryHandle,
}

impl PolicySource for PeerPolicies {
    fn name_of(&self, peer: &Personality) -> Option<String> {
        self.registry.snapshot().peer(peer)?.policy.clone()
    }

    fn load(&self, name: String) -> Answer<Arc<Policy>> {
        let policies = self.policies.clone();
        blocking::answer(move || policies.read(&name).map(Arc::new))
    }

    fn changes(&self) -> mpsc::Receiver<()> {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(watch(self.policies.folder.clone(), sender));
        receiver
    }
}

/// Tells of changes in the folder for as long as somebody listens.
async fn watch(folder: PathBuf, tell: mpsc::Sender<()>) {
    let mask = Mask::IN_CLOSE_WRITE | Mask::IN_MOVED_TO | Mask::IN_MOVED_FROM | Mask::IN_DELETE | Mask::IN_ATTRIB;
    let made = private_dir::ensure(&folder).map_err(|error| error.chain());
    let watcher = made.and_then(|()| {
        let watcher = Watcher::new().map_err(|error| error.to_string())?;
        watcher.add(&folder, mask).map_err(|error| error.to_string())?;
        Ok(watcher)
    });
    let watcher = match watcher {
        Ok(watcher) => watcher,
        Err(why) => {
            tracing::warn!(why, "changed policies are followed with the next start alone");
            return;
        }
    };
    // What changed before the watch began is told too.
    while tell.send(()).await.is_ok() {
        let changed = tokio::select! {
            changed = watcher.next() => changed.is_ok(),
            () = tell.closed() => return,
        };
        if !changed {
            return;
        }
        sleep(GATHER_TIME).await;
        while let Ok(Ok(_)) = tokio::time::timeout(Duration::ZERO, watcher.next()).await {}
    }
}
