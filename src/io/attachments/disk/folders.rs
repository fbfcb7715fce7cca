//! The folders of the store, as descriptors: whatever is opened in them is opened by name alone, and never through a
//! link.

use super::record;
use crate::io::{atomic::sync_folder, private_dir};
use coalmine_actors::{
    attachments::{AttachmentId, Meta},
    error::FleetError,
};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, FileType, Mode, OFlags, linkat, mkdirat, openat, renameat, statat, unlinkat},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Largest record that is read, bytes.
const RECORD_BYTES_MAX: u64 = 64 * 1024;
/// How often something in the way of a blob is put aside before giving up.
const IN_THE_WAY_MAX: usize = 4;

/// See the module.
#[derive(Debug)]
pub(super) struct Folders {
    root: PathBuf,
    blobs: OwnedFd,
    pub(super) staging: OwnedFd,
    quarantine: OwnedFd,
    /// Tells files that are put aside in the same millisecond apart.
    aside: AtomicU64,
}

impl Folders {
    /// Makes them where they are missing: 256 for the blobs, so that none gets too full.
    pub(super) fn open(root: &Path) -> Result<Self, FleetError> {
        let [blobs, staging, quarantine] = ["blobs", "staging", "quarantine"].map(|name| root.join(name));
        for folder in [root, &blobs, &staging, &quarantine] {
            private_dir::ensure(folder)?;
        }
        let open = |path: &Path| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty()).map_err(|error| FleetError::io("open", path, error.into()))
        };
        let folders = Self {
            root: root.to_owned(),
            blobs: open(&blobs)?,
            staging: open(&staging)?,
            quarantine: open(&quarantine)?,
            aside: AtomicU64::new(0),
        };
        let mut made = false;
        for shard in 0..=u8::MAX {
            match mkdirat(&folders.blobs, shard_name(shard), Mode::RWXU) {
                Ok(()) => made = true,
                Err(Errno::EXIST) => {}
                Err(error) => return Err(FleetError::io("create", blobs.join(shard_name(shard)), error.into())),
            }
        }
        if made {
            for folder in [&blobs, root] {
                sync_folder(folder).map_err(|source| FleetError::io("sync", folder, source))?;
            }
        }
        Ok(folders)
    }

    /// Where the store is.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where an attachment's bytes are, for errors.
    pub(super) fn path(&self, id: AttachmentId) -> PathBuf {
        self.root.join("blobs").join(shard_name(shard_of(id))).join(id.to_string())
    }

    /// The folder of some blobs.
    pub(super) fn shard(&self, shard: u8) -> io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.blobs, shard_name(shard), flags, Mode::empty()).map_err(|error| match error {
            // Told from the same about a file in it: this is nobody's to put aside.
            Errno::LOOP | Errno::NOTDIR => io::Error::other(format!("blobs/{} is no folder", shard_name(shard))),
            error => error.into(),
        })
    }

    /// The bytes of an attachment; a link, a folder or a FIFO in their place is an error.
    pub(super) fn blob(&self, id: AttachmentId) -> io::Result<File> {
        open_regular(&self.shard(shard_of(id))?, &id.to_string())
    }

    /// The record of an attachment; nothing where it is missing or damaged.
    pub(super) fn record(&self, id: AttachmentId) -> io::Result<Option<Meta>> {
        let file = match open_regular(&self.shard(shard_of(id))?, &record::name(id)) {
            Ok(file) => file,
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if is_no_file(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(RECORD_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(record::read(&bytes, id))
    }

    /// A new file in the staging folder.
    pub(super) fn stage(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(openat(&self.staging, name, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// Removes a staged file; one that is gone is.
    pub(super) fn unstage(&self, name: &str) -> io::Result<()> {
        gone_or(unlinkat(&self.staging, name, AtFlags::empty())).map(drop)
    }

    /// Gives the staged record its name, unless a good one is there.
    pub(super) fn describe(&self, staged: &str, id: AttachmentId) -> io::Result<()> {
        let shard = self.shard(shard_of(id))?;
        match linkat(&self.staging, staged, &shard, record::name(id), AtFlags::empty()) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) if self.record(id)?.is_some() => Ok(()),
            // A damaged one: the new one takes its place.
            Err(Errno::EXIST) => Ok(renameat(&self.staging, staged, &shard, record::name(id))?),
            Err(error) => Err(error.into()),
        }
    }

    /// Gives staged bytes their name. Equal bytes that are there are left alone; whatever else is in the way is put
    /// aside.
    pub(super) fn link(&self, staged: &str, id: AttachmentId, byte_len: u64) -> io::Result<()> {
        let shard = self.shard(shard_of(id))?;
        for _ in 0..IN_THE_WAY_MAX {
            match linkat(&self.staging, staged, &shard, id.to_string(), AtFlags::empty()) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            let there = statat(&shard, id.to_string(), AtFlags::SYMLINK_NOFOLLOW);
            let fits = there.is_ok_and(|stat| {
                FileType::from_raw_mode(stat.st_mode).is_file() && u64::try_from(stat.st_size) == Ok(byte_len)
            });
            if fits {
                return Ok(());
            }
            self.put_aside(id, None)?;
        }
        Err(io::Error::other("something takes its place again and again"))
    }

    /// Moves what lies in a blob's place to the quarantine; with `file`, only if it is this one.
    pub(super) fn put_aside(&self, id: AttachmentId, file: Option<&File>) -> io::Result<()> {
        let (shard, name) = (self.shard(shard_of(id))?, id.to_string());
        if let Some(file) = file {
            let (ours, there) = (rustix::fs::fstat(file)?, statat(&shard, &name, AtFlags::SYMLINK_NOFOLLOW));
            let same = there.is_ok_and(|there| (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino));
            if !same {
                return Ok(()); // healed, or put aside by somebody else
            }
        }
        let aside = format!("{name}-{}", self.aside.fetch_add(1, Ordering::Relaxed) + now_nanos());
        gone_or(renameat(&shard, &name, &self.quarantine, &aside))?;
        rustix::fs::fsync(&shard)?;
        Ok(())
    }

    /// Removes a name from the folder of an attachment; whether it was there.
    pub(super) fn remove(&self, id: AttachmentId, name: &str) -> io::Result<bool> {
        gone_or(unlinkat(self.shard(shard_of(id))?, name, AtFlags::empty()))
    }
}

/// The folder that an attachment lies in.
pub(super) fn shard_of(id: AttachmentId) -> u8 {
    id.digest()[0]
}

/// Its name: two hex digits.
pub(super) fn shard_name(shard: u8) -> String {
    format!("{shard:02x}")
}

/// Whether something else than a file lies there.
pub(super) fn is_no_file(error: &io::Error) -> bool {
    let link_or_socket = [Errno::LOOP, Errno::NXIO].map(|errno| Some(errno.raw_os_error()));
    link_or_socket.contains(&error.raw_os_error())
        || matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::IsADirectory)
}

/// Opens a file by its name in a folder. Nothing is followed, and nothing hangs.
fn open_regular(folder: impl AsFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: File = openat(folder, name, flags, Mode::empty())?.into();
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::new(io::ErrorKind::InvalidData, "is no file")) }
}

fn gone_or(result: rustix::io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// For names that must not repeat, also after a restart.
pub(super) fn now_nanos() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(0)
}
