//! How SQLite reaches the files of a database: by the descriptor of the folder that was opened for it, and no other way.
//!
//! SQLite's own way resolves links itself when a database is opened, and goes by the names that it found from then on: a
//! folder that is exchanged for a link later would lead its journal elsewhere. Ours is SQLite's own but for four things:
//!
//! - a name stays as it was given (`/proc/self/fd/N/name`), so that it is the kernel that goes through the descriptor;
//! - journals of several databases are not opened: a planted one names any file at all, and SQLite would remove that;
//! - nothing is looked for but journals and logs beneath such a folder;
//! - no memory is shared with other programs (the WAL's index): who shortens that file would end this process.

use rusqlite::ffi;
use std::{
    ffi::{CStr, c_char, c_int},
    sync::OnceLock,
};

/// Its name.
const NAME: &CStr = c"coalmine";
/// How the names of our databases begin.
pub(super) const BENEATH: &str = "/proc/self/fd/";
/// Of SQLite's ways to use a file, the first: without shared memory, and without mapping the file.
const WITHOUT_SHARED_MEMORY: c_int = 1;

type Open = unsafe extern "C" fn(
    *mut ffi::sqlite3_vfs,
    ffi::sqlite3_filename,
    *mut ffi::sqlite3_file,
    c_int,
    *mut c_int,
) -> c_int;
type Access = unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *const c_char, c_int, *mut c_int) -> c_int;

/// Those functions of SQLite's own that ours call.
struct Unix {
    open: Open,
    access: Access,
}

static UNIX: OnceLock<Option<Unix>> = OnceLock::new();
static METHODS: OnceLock<ffi::sqlite3_io_methods> = OnceLock::new();

/// The name of our way, which SQLite knows from now on; nothing where its own is not there.
pub(super) fn name() -> Option<&'static CStr> {
    UNIX.get_or_init(register).as_ref().map(|_known| NAME)
}

fn register() -> Option<Unix> {
    // SAFETY: SQLite's list of ways is valid once it is initialized; what is found in it lives as long as the process
    // does, and is copied. The copy is never freed, as SQLite keeps a pointer to it, and `OnceLock` registers it once.
    unsafe {
        if ffi::sqlite3_initialize() != ffi::SQLITE_OK {
            return None;
        }
        let own = ffi::sqlite3_vfs_find(c"unix".as_ptr()).as_ref()?;
        let unix = Unix { open: own.xOpen?, access: own.xAccess? };
        let ours = ffi::sqlite3_vfs {
            zName: NAME.as_ptr(),
            pNext: std::ptr::null_mut(),
            xOpen: Some(open),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            ..*own
        };
        let known = ffi::sqlite3_vfs_register(Box::leak(Box::new(ours)), 0);
        (known == ffi::SQLITE_OK).then_some(unix)
    }
}

/// SQLite's own functions. Ours are called by nobody before these are known.
fn unix() -> Option<&'static Unix> {
    UNIX.get().and_then(Option::as_ref)
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    opened_as: *mut c_int,
) -> c_int {
    // SAFETY: called by SQLite with what its own function takes. `file` is room for that one's kind of file; its methods
    // are null where nothing was opened, and else a table that lives as long as the process does.
    unsafe {
        (*file).pMethods = std::ptr::null();
        let refused = flags & ffi::SQLITE_OPEN_SUPER_JOURNAL != 0;
        let Some(unix) = unix().filter(|_| !refused) else { return ffi::SQLITE_CANTOPEN };
        let code = (unix.open)(vfs, name, file, flags, opened_as);
        if code == ffi::SQLITE_OK && flags & ffi::SQLITE_OPEN_MAIN_DB != 0 {
            let own = *(*file).pMethods;
            (*file).pMethods =
                METHODS.get_or_init(|| ffi::sqlite3_io_methods { iVersion: WITHOUT_SHARED_MEMORY, ..own });
        }
        code
    }
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    is_there: *mut c_int,
) -> c_int {
    // SAFETY: called by SQLite with what its own function takes: a text, and room for the answer.
    unsafe {
        let text = CStr::from_ptr(name).to_bytes();
        let ours = text.starts_with(BENEATH.as_bytes()) && (text.ends_with(b"-journal") || text.ends_with(b"-wal"));
        match unix().filter(|_| ours) {
            Some(unix) => (unix.access)(vfs, name, flags, is_there),
            None => {
                *is_there = 0;
                ffi::SQLITE_OK
            }
        }
    }
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    full: *mut c_char,
) -> c_int {
    // SAFETY: called by SQLite with a text, and with room for `room` bytes at `full`.
    unsafe {
        let text = CStr::from_ptr(name).to_bytes_with_nul();
        if usize::try_from(room).is_ok_and(|room| text.len() <= room) {
            std::ptr::copy_nonoverlapping(text.as_ptr().cast(), full, text.len());
            ffi::SQLITE_OK
        } else {
            ffi::SQLITE_CANTOPEN
        }
    }
}
