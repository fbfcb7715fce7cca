//! Landlock by its three system calls (`landlock(7)`): what a thread, and whatever it starts, may still open.
//!
//! A ruleset denies what it *handles* and does not allow. It handles all that the kernel's ABI knows, so that what a
//! later kernel can deny is denied there, and what is left open by an earlier one is told by the ABI's number.

use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::{io, mem};

/// The newest ABI that is known here: rights of a later one are not handled.
const ABI_MAX: u32 = 7;

const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_DIR: u64 = 1 << 7;
const MAKE_REG: u64 = 1 << 8;
const MAKE_FIFO: u64 = 1 << 10;
const MAKE_SYM: u64 = 1 << 12;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// How many rights on files each ABI knows; they are numbered from 0 (ABI 1 knows 13).
const FILE_RIGHTS: [u32; ABI_MAX as usize] = [13, 14, 15, 15, 16, 16, 16];
/// Rights that a file can be given; the others are a folder's.
const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;
/// Since when TCP ports are handled, and since when signals and abstract sockets.
const ABI_OF_PORTS: u32 = 4;
const ABI_OF_SCOPES: u32 = 6;
/// Abstract Unix sockets and signals: only among those inside.
const SCOPED: u64 = 0b11;

const RULE_PATH_BENEATH: libc::c_int = 1;
const RULE_NET_PORT: libc::c_int = 2;
const CREATE_RULESET_VERSION: libc::c_uint = 1;

/// `struct landlock_ruleset_attr`
#[repr(C)]
struct RulesetAttr {
    files: u64,
    net: u64,
    scoped: u64,
}

/// `struct landlock_path_beneath_attr`
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: libc::c_int,
}

/// `struct landlock_net_port_attr`
#[repr(C)]
struct NetPort {
    allowed: u64,
    port: u64,
}

/// What may be done with a file or with all that lies in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// Read it, and run what is a program: whoever reads one can have an interpreter or the loader run it anyway.
    Read,
    /// Change it, make in it and remove from it. Neither devices nor sockets: a device made there would be the disk.
    Write,
    /// Read, write and control a device.
    Use,
}

impl Right {
    fn bits(self) -> u64 {
        match self {
            Self::Read => READ_FILE | READ_DIR | EXECUTE,
            Self::Write => {
                WRITE_FILE | TRUNCATE | MAKE_DIR | MAKE_REG | MAKE_FIFO | MAKE_SYM | REMOVE_DIR | REMOVE_FILE | REFER
            }
            Self::Use => READ_FILE | WRITE_FILE | IOCTL_DEV,
        }
    }
}

/// What TCP is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tcp {
    /// Listening on a port.
    Bind = 1 << 0,
    /// Connecting to one.
    Connect = 1 << 1,
}

/// The ABI that holds here: the kernel's, as far as it is known to us. Nothing where the kernel has no Landlock, or was
/// told to do without.
pub fn abi() -> Option<u32> {
    let none: *const RulesetAttr = std::ptr::null();
    // SAFETY: asked for its version the call takes neither a structure nor a size, and changes nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, CREATE_RULESET_VERSION) };
    u32::try_from(version).ok().filter(|version| *version > 0).map(|version| version.min(ABI_MAX))
}

/// Rules that are being gathered.
#[derive(Debug)]
pub(super) struct Ruleset {
    fd: OwnedFd,
    /// The rights on files that are handled: the kernel refuses to allow any other.
    files: u64,
    abi: u32,
}

impl Ruleset {
    /// Denies all that `abi` knows of files, and these uses of TCP.
    pub(super) fn new(abi: u32, tcp: &[Tcp]) -> io::Result<Self> {
        let files = (1 << FILE_RIGHTS[abi.clamp(1, ABI_MAX) as usize - 1]) - 1;
        let net = tcp.iter().fold(0, |all, tcp| all | *tcp as u64);
        let attr = RulesetAttr {
            files,
            net: if abi >= ABI_OF_PORTS { net } else { 0 },
            scoped: if abi >= ABI_OF_SCOPES { SCOPED } else { 0 },
        };
        // SAFETY: the structure lives through the call and its size is given; an older kernel takes a longer structure
        // as long as what it does not know is zero.
        let fd = unsafe {
            libc::syscall(libc::SYS_landlock_create_ruleset, &raw const attr, mem::size_of::<RulesetAttr>(), 0)
        };
        let fd = libc::c_int::try_from(fd).ok().filter(|fd| *fd >= 0).ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the kernel has just opened it for us alone.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) }, files, abi })
    }

    /// Allows `right` on this file, or on all that lies in this folder.
    pub(super) fn allow(&self, what: BorrowedFd<'_>, right: Right) -> io::Result<()> {
        let is_folder = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(what)?.st_mode).is_dir();
        let fits = if is_folder { u64::MAX } else { OF_FILES };
        let rule = PathBeneath { allowed: right.bits() & fits & self.files, parent: what.as_raw_fd() };
        self.add(RULE_PATH_BENEATH, &raw const rule)
    }

    /// Allows TCP on a port; where the kernel does not handle ports nothing is denied of them.
    pub(super) fn allow_port(&self, port: u16, tcp: Tcp) -> io::Result<()> {
        if self.abi < ABI_OF_PORTS {
            return Ok(());
        }
        let rule = NetPort { allowed: tcp as u64, port: port.into() };
        self.add(RULE_NET_PORT, &raw const rule)
    }

    fn add<R>(&self, kind: libc::c_int, rule: *const R) -> io::Result<()> {
        // SAFETY: `rule` points to a live structure of the kind that is named; the kernel copies it.
        check(unsafe { libc::syscall(libc::SYS_landlock_add_rule, self.fd.as_raw_fd(), kind, rule, 0) })
    }

    /// Puts this thread, and whatever it starts, under the rules. It must have given up new privileges.
    pub(super) fn enter(&self) -> io::Result<()> {
        // SAFETY: takes a descriptor and no memory.
        check(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, self.fd.as_raw_fd(), 0) })
    }
}

fn check(code: libc::c_long) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
