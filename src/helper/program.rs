//! Becoming another program, with messages and exit codes as a shell has them: 127 not found, 126 not to be run.

use rustix::fs::{Access, access};
use std::{
    ffi::{OsStr, OsString},
    io::{self, Write},
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

/// Where programs are looked for when the environment does not say.
const PATH_DEFAULT: &str = "/usr/local/bin:/usr/bin:/bin";
const NOT_FOUND: u8 = 127;
const NOT_RUNNABLE: u8 = 126;

/// Replaces this process by `argv`, found in the `PATH` of `env`, with exactly that environment. Returns only where
/// that fails, after saying why.
pub(crate) fn become_program(argv: &[OsString], env: &[(OsString, OsString)]) -> ExitCode {
    let Some((name, arguments)) = argv.split_first() else {
        return fail(OsStr::new("nothing"), "no program was given", NOT_RUNNABLE);
    };
    let program = match find_for(name, env) {
        Ok(program) => program,
        Err(error) => return fail_with(name, &error),
    };
    let mut command = Command::new(program);
    // Blocked signals are unblocked by this exec, and a broken pipe ends the program again as usual.
    let error = command.arg0(name).args(arguments).env_clear().envs(env.iter().map(|(k, v)| (k, v))).exec();
    fail_with(name, &error)
}

/// Changes the folder, or says why not.
pub(crate) fn change_folder(folder: &Path) -> Result<(), ExitCode> {
    let changed = rustix::process::chdir(folder);
    changed.map_err(|error| fail(folder.as_os_str(), &io::Error::from(error).to_string(), NOT_RUNNABLE))
}

/// Says why a program can not be started.
pub(crate) fn fail(what: &OsStr, why: &str, code: u8) -> ExitCode {
    let _unheard = writeln!(io::stderr(), "coalmine: can not start {}: {why}", what.display());
    ExitCode::from(code)
}

fn fail_with(name: &OsStr, error: &io::Error) -> ExitCode {
    match error.kind() {
        io::ErrorKind::NotFound if name.as_bytes().contains(&b'/') => fail(name, &error.to_string(), NOT_FOUND),
        io::ErrorKind::NotFound => fail(name, "no folder of its PATH holds it", NOT_FOUND),
        _ => fail(name, &error.to_string(), NOT_RUNNABLE),
    }
}

/// The file that `name` means in this environment.
pub(crate) fn find_for(name: &OsStr, env: &[(OsString, OsString)]) -> io::Result<PathBuf> {
    let path = env.iter().rev().find(|(key, _)| key == "PATH").map(|(_, value)| value.as_os_str());
    find(name, path.unwrap_or(OsStr::new(PATH_DEFAULT)))
}

/// The file that `name` means. A name with a slash means itself; else the first runnable file in `path`. Empty
/// entries of `path`, which once meant the current folder, are passed over.
fn find(name: &OsStr, path: &OsStr) -> io::Result<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Ok(name.into());
    }
    if name.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut seen_but = io::ErrorKind::NotFound;
    for folder in path.as_bytes().split(|&byte| byte == b':').filter(|folder| !folder.is_empty()) {
        let file = Path::new(OsStr::from_bytes(folder)).join(name);
        if !file.is_file() {
            continue;
        }
        match access(&file, Access::EXEC_OK) {
            Ok(()) => return Ok(file),
            Err(_) => seen_but = io::ErrorKind::PermissionDenied,
        }
    }
    Err(seen_but.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_program_is_found_as_a_shell_finds_it() {
        let root = tempfile::tempdir().unwrap();
        let (plain, good) = (root.path().join("plain"), root.path().join("good"));
        for (folder, mode) in [(&plain, 0o600), (&good, 0o700)] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("tool"), "").unwrap();
            fs::set_permissions(folder.join("tool"), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir(plain.join("folder")).unwrap();
        let look = |name: &str, path: &str| find(OsStr::new(name), OsStr::new(path)).map_err(|error| error.kind());
        let both = format!(":{}:{}", plain.display(), good.display());
        assert_eq!(look("tool", &both), Ok(good.join("tool")));
        assert_eq!(look("tool", plain.to_str().unwrap()), Err(io::ErrorKind::PermissionDenied));
        assert_eq!(look("folder", &both), Err(io::ErrorKind::NotFound));
        assert_eq!(look("", &both), Err(io::ErrorKind::NotFound));
        assert_eq!(look("./x", ""), Ok("./x".into()));
    }
}
