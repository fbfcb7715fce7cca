//! Folders that a policy grants: each is opened once, and whatever lies in it is reached from that handle.
//!
//! ```text
//! Root ── place(rest) ─▶ Place ── folder that holds what is meant ── openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
//!                          │         └─ is it, or what it lies in, hidden? by device and inode, up to the root
//!                          └─ its last name: opened without following; a link there is read and placed anew
//! ```
//!
//! The kernel refuses every way out: `..`, links, folders that are exchanged for links meanwhile, `/proc/self/root`. What
//! leads out is refused alike whether something is there or not.

use crate::io::sandbox::hidden::{Hidden, Id, parent_of};
use coalmine_actors::effects::{
    error::EffectError,
    rule::{Never, Rule},
};
use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, Stat, openat, openat2, readlinkat, statat},
    io::Errno,
};
use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

/// Links that are followed at the end of one path; the kernel has its own limit for those on the way.
const LINKS_MAX: usize = 40;
/// How often the kernel is asked again where something was renamed while it looked.
const RACES_MAX: usize = 1_000;
/// Longest path below a root, bytes: what the kernel takes, without the closing NUL.
const PATH_BYTES_MAX: usize = 4_095;
/// How a folder is opened only to go on from there.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A granted folder, held open.
#[derive(Debug)]
pub struct Root {
    handle: OwnedFd,
    id: Id,
    /// Where it was when it was opened, all links followed: absolute links into it are known by this.
    path: PathBuf,
    hidden: Arc<Hidden>,
}

impl Root {
    /// Opens the folder at `path`, following links: it is the policy's own word. Nothing of it is granted that is
    /// `hidden`.
    ///
    /// # Errors
    /// It is not there, is no folder, may not be looked at, or is itself hidden.
    pub fn open(path: &Path, hidden: Arc<Hidden>) -> Result<Self, EffectError> {
        let handle = openat(CWD, path, FOLDER, Mode::empty()).map_err(refusal)?;
        if hidden.covers(&handle)? {
            return Err(denied(Never::FleetsOwn));
        }
        Ok(Self { id: Id::open(&handle)?, path: path.canonicalize()?, handle, hidden })
    }

    /// Whether everything is granted: then nothing leads out.
    fn is_whole(&self) -> bool {
        self.path == Path::new("/")
    }

    /// What `rest`, a relative path, means in it; empty for the root itself.
    ///
    /// # Errors
    /// A path that is absolute, too long, or holds a NUL byte.
    pub fn place(&self, rest: &Path) -> Result<Place<'_>, EffectError> {
        let bytes = rest.as_os_str().as_bytes();
        let why = match () {
            () if rest.is_absolute() => "it is not below the granted folder",
            () if bytes.contains(&0) => "it holds a NUL byte",
            () if bytes.len() > PATH_BYTES_MAX => return Err(EffectError::limit("path", PATH_BYTES_MAX as u64)),
            () => return Ok(Place { root: self, rest: rest.to_owned() }),
        };
        Err(EffectError::bad("path", why))
    }

    /// Opens beneath: the one way in.
    pub(super) fn beneath(
        &self,
        from: BorrowedFd<'_>,
        path: impl rustix::path::Arg + Copy,
        flags: OFlags,
    ) -> Result<OwnedFd, Errno> {
        let resolve = if self.is_whole() {
            ResolveFlags::NO_MAGICLINKS
        } else {
            ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS
        };
        for _ in 0..RACES_MAX {
            match openat2(from, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                // Something was moved while the kernel followed a `..`: it could not tell whether that led out.
                Err(Errno::AGAIN) => {}
                done => return done,
            }
        }
        Err(Errno::AGAIN)
    }

    /// A folder below the root, which is neither hidden nor lies in what is hidden.
    pub(super) fn folder(&self, path: &Path) -> Result<Footing<'_>, EffectError> {
        if path.as_os_str().is_empty() {
            return Ok(Footing::Root(&self.handle));
        }
        let folder = self.beneath(self.handle.as_fd(), path, FOLDER).map_err(refusal)?;
        self.check(&folder)?;
        Ok(Footing::Below(folder))
    }

    /// Refuses a folder that is hidden, lies in what is hidden, or has been moved out of the root meanwhile.
    fn check(&self, folder: &OwnedFd) -> Result<(), EffectError> {
        let mut id = Id::open(folder)?;
        let mut above: Option<OwnedFd> = None;
        loop {
            self.shown(id)?;
            if id == self.id {
                return Ok(());
            }
            let next = parent_of(above.as_ref().unwrap_or(folder))?;
            let next_id = Id::open(&next)?;
            if next_id == id {
                return Err(denied(Never::Escape)); // at `/`, and the root was not on the way
            }
            (above, id) = (Some(next), next_id);
        }
    }

    /// Refuses what is hidden.
    pub(super) fn shown(&self, id: Id) -> Result<(), EffectError> {
        if self.hidden.is(id) { Err(denied(Never::FleetsOwn)) } else { Ok(()) }
    }

    /// Refuses also what holds something hidden: to change it as a whole would change that.
    pub(super) fn whole(&self, id: Id) -> Result<(), EffectError> {
        match () {
            () if self.hidden.is(id) || self.hidden.lies_in(id) => Err(denied(Never::FleetsOwn)),
            () if id == self.id => Err(denied(Never::Root)),
            () => Ok(()),
        }
    }

    /// Whether something hidden lies in this folder.
    pub(super) fn holds_hidden(&self, id: Id) -> bool {
        self.hidden.lies_in(id)
    }

    /// Where a link in `folder` leads, below the root.
    fn led(&self, folder: &Path, target: &Path) -> Result<PathBuf, EffectError> {
        if target.is_relative() {
            return Ok(folder.join(target));
        }
        let rest = target.strip_prefix(&self.path).map_err(|_elsewhere| denied(Never::Escape))?;
        Ok(rest.to_owned())
    }
}

/// A folder on the way: the root itself, or one that was opened for this.
pub(super) enum Footing<'r> {
    Root(&'r OwnedFd),
    Below(OwnedFd),
}

impl AsFd for Footing<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(root) => root.as_fd(),
            Self::Below(folder) => folder.as_fd(),
        }
    }
}

/// A path below a granted root. It is looked up anew for each operation, by the kernel.
#[derive(Debug, Clone)]
pub struct Place<'r> {
    pub(super) root: &'r Root,
    rest: PathBuf,
}

impl<'r> Place<'r> {
    /// The folder that holds what is meant, and its name there; nothing where the path names no entry of a folder: the
    /// root, or a path that ends in `..`.
    pub(super) fn entry(&self) -> Result<Option<(Footing<'r>, OsString)>, EffectError> {
        let (folder, name) = split(&self.rest);
        name.map(|name| Ok((self.root.folder(folder)?, name.to_owned()))).transpose()
    }

    /// Lets `act` try on the entry that is meant, never through a link at its end; where it finds one (`None`), on what
    /// the link leads to.
    pub(super) fn follow<T>(
        &self,
        act: impl Fn(BorrowedFd<'_>, &OsStr) -> Result<Option<T>, Errno>,
    ) -> Result<T, EffectError> {
        let mut rest = Cow::Borrowed(self.rest.as_path());
        for _ in 0..=LINKS_MAX {
            let (folder_path, name) = split(&rest);
            let folder = self.root.folder(folder_path)?;
            let name = name.unwrap_or(OsStr::new("."));
            if let Some(done) = act(folder.as_fd(), name).map_err(refusal)? {
                return Ok(done);
            }
            rest = match readlinkat(&folder, name, Vec::new()) {
                Ok(target) => {
                    Cow::Owned(self.root.led(folder_path, &PathBuf::from(OsString::from_vec(target.into_bytes())))?)
                }
                // It is no link any more: looked at again.
                Err(Errno::INVAL) => rest,
                Err(error) => return Err(refusal(error)),
            };
        }
        Err(refusal(Errno::LOOP))
    }

    /// Opens what is meant; `flags` must not create. Links that stay inside are followed.
    pub(super) fn open(&self, flags: OFlags) -> Result<(OwnedFd, Stat), EffectError> {
        let opened = self.follow(|folder, name| match self.root.beneath(folder, name, flags | OFlags::NOFOLLOW) {
            Err(Errno::LOOP) => Ok(None),
            // Where a folder is wanted a link is no folder, before it is a link.
            Err(Errno::NOTDIR) if is_link(folder, name) => Ok(None),
            opened => opened.map(Some),
        })?;
        let stat = rustix::fs::fstat(&opened).map_err(refusal)?;
        self.root.shown(Id::of(&stat))?;
        Ok((opened, stat))
    }

    /// Opens the folder that is meant, to list it.
    pub(super) fn open_list(&self) -> Result<OwnedFd, EffectError> {
        Ok(self.open(OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK)?.0)
    }

    /// Opens the folder that is meant, for whatever starts in it.
    pub(in crate::io::effects) fn open_folder(&self) -> Result<OwnedFd, EffectError> {
        Ok(self.open(FOLDER)?.0)
    }

    /// The path below the root.
    pub(super) fn rest(&self) -> &Path {
        &self.rest
    }
}

/// Whether this is a link now.
fn is_link(folder: BorrowedFd<'_>, name: &OsStr) -> bool {
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| kind_of(&stat) == FileType::Symlink)
}

/// The folder of a path and its last name; no name where the last part is none.
fn split(path: &Path) -> (&Path, Option<&OsStr>) {
    match path.components().next_back() {
        Some(Component::Normal(name)) => (path.parent().unwrap_or(Path::new("")), Some(name)),
        _ => (path, None),
    }
}

/// What is never granted.
pub(super) fn denied(why: Never) -> EffectError {
    EffectError::Denied { rule: Rule::Never(why) }
}

/// What the kernel's word for a failed look below a root means.
pub(super) fn refusal(error: Errno) -> EffectError {
    match error {
        // A way out, a link of /proc that leads anywhere, or more links than anybody means.
        Errno::XDEV | Errno::LOOP => denied(Never::Escape),
        Errno::NAMETOOLONG => EffectError::bad("path", "a name in it is too long"),
        error => std::io::Error::from(error).into(),
    }
}

/// What a file is.
pub(super) fn kind_of(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}
