//! The file that a store or a database is kept in, found or made below a granted root.

use super::{
    read::regular,
    roots::{Footing, Place, denied, kind_of, refusal},
    write::replaceable,
};
use crate::io::sandbox::hidden::Id;
use coalmine_actors::effects::{error::EffectError, rule::Never};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{Mode, OFlags, Stat, fstat, openat},
};
use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
};

/// What a new one may be used for: what is in it is the peer's own.
const DATABASE_MODE: u32 = 0o600;

/// A file by the folder that holds it: whoever opens it by that folder's descriptor, and follows no link at its end, is
/// not led out of the root, whatever is moved meanwhile.
#[derive(Debug)]
pub(in crate::io::effects) struct Within {
    /// The folder.
    pub(in crate::io::effects) folder: OwnedFd,
    /// Its name there.
    pub(in crate::io::effects) name: OsString,
}

impl Place<'_> {
    /// Opens the file, or makes it, to read and to write it; which one it is.
    ///
    /// # Errors
    /// A link, a file with another hard link, or no regular file is there; led out of the root.
    pub(in crate::io::effects) fn open_database(&self) -> Result<(File, Id), EffectError> {
        let (folder, name) = self.named()?;
        let flags = match replaceable(&folder, &name)? {
            Some(_) => OFlags::RDWR,
            None => OFlags::RDWR | OFlags::CREATE | OFlags::EXCL,
        };
        let file = open(&folder, &name, flags)?;
        // Of what was opened, and not only of what was looked at before.
        let stat = fstat(&file).map_err(refusal)?;
        self.ours_alone(&stat)?;
        Ok((file.into(), Id::of(&stat)))
    }

    /// Makes the file where there is none, for somebody who opens it by its folder. What is there is not opened: to close
    /// it again would take from every connection of this process the locks that it has on it.
    ///
    /// # Errors
    /// As [`Place::open_database`].
    pub(in crate::io::effects) fn make_database(&self) -> Result<Within, EffectError> {
        let (folder, name) = self.named()?;
        match replaceable(&folder, &name)? {
            Some(stat) => self.ours_alone(&stat)?,
            None => drop(open(&folder, &name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?),
        }
        Ok(Within { folder: folder.as_fd().try_clone_to_owned()?, name })
    }

    fn named(&self) -> Result<(Footing<'_>, OsString), EffectError> {
        self.entry()?.ok_or(EffectError::Io { kind: io::ErrorKind::IsADirectory })
    }

    fn ours_alone(&self, stat: &Stat) -> Result<(), EffectError> {
        regular(kind_of(stat))?;
        self.root.shown(Id::of(stat))?;
        // Another name of it may be anywhere.
        if stat.st_nlink > 1 { Err(denied(Never::Escape)) } else { Ok(()) }
    }
}

/// Never through a link, and never waiting for the other end of a FIFO.
fn open(folder: &Footing<'_>, name: &OsStr, flags: OFlags) -> Result<OwnedFd, EffectError> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    openat(folder, name, flags, Mode::from_raw_mode(DATABASE_MODE)).map_err(refusal)
}
