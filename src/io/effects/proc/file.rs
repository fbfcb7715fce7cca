//! The file of a granted program: opened once, checked, and executed by that descriptor, whatever its path means by then.

use coalmine_actors::effects::{
    error::EffectError,
    program::ProgramGrant,
    rule::{Never, Rule},
};
use rustix::{
    fd::{AsRawFd, OwnedFd},
    fs::{CWD, FileType, MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, fstat, memfd_create, open, openat},
    io::Errno,
};
use sha2::{Digest, Sha256};
use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::fs::FileExt,
};

/// Largest program whose hash a policy can pin, bytes: it is copied into memory, where nobody changes it any more.
const PINNED_BYTES_MAX: u64 = 512 * 1024 * 1024;
const CHUNK_BYTES: usize = 128 * 1024;

/// A program's file, held open.
pub(super) struct ProgramFile {
    pub(super) file: OwnedFd,
    /// It begins with `#!`: its interpreter opens it again.
    pub(super) is_script: bool,
}

/// Opens the program that a policy grants. Blocks.
///
/// # Errors
/// Not there, no regular file, not to be read, or not the file whose hash the policy names.
pub(super) fn open_granted(grant: &ProgramGrant) -> Result<ProgramFile, EffectError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(CWD, &grant.path, flags, Mode::empty()).map_err(io::Error::from)?;
    if FileType::from_raw_mode(fstat(&file).map_err(io::Error::from)?.st_mode) != FileType::RegularFile {
        return Err(EffectError::bad("program", "what the policy names is no regular file"));
    }
    let mut file = File::from(file);
    if let Some(pinned) = &grant.sha256 {
        let (copy, found) = sealed(&mut file)?;
        if found != pinned.as_str() {
            return Err(EffectError::Denied { rule: Rule::Never(Never::OtherProgram) });
        }
        file = copy;
    }
    let mut head = [0; 2];
    let is_script = file.read_at(&mut head, 0)? == head.len() && head == *b"#!";
    Ok(ProgramFile { file: file.into(), is_script })
}

/// A copy that nobody can change, with its hash: what was hashed is what runs, also if the file is written to meanwhile.
fn sealed(file: &mut File) -> Result<(File, String), EffectError> {
    let mut copy = File::from(anonymous().map_err(io::Error::from)?);
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut left = PINNED_BYTES_MAX;
    loop {
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => {
                left = left.checked_sub(count as u64).ok_or(EffectError::limit("program", PINNED_BYTES_MAX))?;
                hash.update(&chunk[..count]);
                copy.write_all(&chunk[..count])?;
            }
            Err(again) if again.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&copy, seals).map_err(io::Error::from)?;
    // Anew, to be read alone: what somebody could write to is not executed.
    let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
    let copy = open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(io::Error::from)?;
    Ok((copy.into(), hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()))
}

fn anonymous() -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create("coalmine-program", flags | MemfdFlags::EXEC) {
        // Before Linux 6.3 there is no such flag, and any can be executed.
        Err(Errno::INVAL) => memfd_create("coalmine-program", flags),
        made => made,
    }
}
