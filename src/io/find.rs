//! Finds programs: in PATH, and the helper, which must be of our own version.

use super::{tmux_version, version_of};
use coalmine_actors::error::FleetError;
use rustix::fs::Access;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The version of this build; the helper's must be the same.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const HELPER: &str = "coalmine-helper";

/// The first executable file of this name in the process's PATH.
pub fn in_path(name: &str) -> Option<PathBuf> {
    in_path_of(name, &std::env::var_os("PATH")?)
}

/// The first executable file of this name in `path`.
pub fn in_path_of(name: &str, path: &std::ffi::OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|p| is_program(p))
}

/// Whether this is a regular file that we may execute.
pub fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file()) && rustix::fs::access(path, Access::EXEC_OK).is_ok()
}

/// tmux, wherever it is in PATH.
///
/// # Errors
/// It is not there.
pub fn tmux_program() -> Result<PathBuf, FleetError> {
    in_path("tmux").ok_or(FleetError::TmuxMissing)
}

/// tmux, of a version that serves. Blocks.
///
/// # Errors
/// Missing, too old, or silent.
pub fn tmux() -> Result<PathBuf, FleetError> {
    let program = tmux_program()?;
    tmux_version::check(&program).map(|_| program)
}

/// The helper: the one that was named, else beside the current executable, else in PATH; checked once. Blocks.
///
/// # Errors
/// Missing, of another version, or silent.
pub fn helper(named: Option<&Path>) -> Result<PathBuf, FleetError> {
    let looked = match named {
        Some(path) => vec![path.to_owned()],
        None => helper_places(),
    };
    let Some(path) = looked.iter().find(|path| is_program(path)).cloned() else {
        return Err(FleetError::HelperMissing { looked });
    };
    let found = helper_version(&path)?;
    if found == VERSION { Ok(path) } else { Err(FleetError::HelperVersion { path, found, wanted: VERSION.into() }) }
}

/// The folder of the running program.
#[allow(clippy::disallowed_methods, reason = "a place to look for the helper; the program itself is never executed")]
pub fn beside_us() -> Option<PathBuf> {
    std::env::current_exe().ok()?.parent().map(Path::to_owned)
}

/// Beside the running program, then every folder of PATH.
fn helper_places() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    beside_us().into_iter().chain(folders).map(|folder| folder.join(HELPER)).collect()
}

/// What `coalmine-helper --version` says after its name; `unknown` where it says something else.
fn helper_version(path: &Path) -> Result<String, FleetError> {
    let unknown = "unknown".to_owned();
    match version_of::ask(path, Command::new(path).arg("--version").env_clear()) {
        Ok(text) => {
            let version = text.trim().strip_prefix(HELPER).map(str::trim).filter(|version| !version.is_empty());
            Ok(version.map_or(unknown, str::to_owned))
        }
        Err(error @ FleetError::ProgramSilent { .. }) => Err(error),
        Err(_not_a_program) => Ok(unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helper_that_is_missing_names_where_it_was_looked_for() {
        let error = helper(Some(Path::new("/does/not/exist"))).unwrap_err();
        assert!(
            matches!(&error, FleetError::HelperMissing { looked } if looked == &[PathBuf::from("/does/not/exist")])
        );
    }

    #[test]
    fn a_helper_of_another_version_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("coalmine-helper");
        std::fs::write(&path, "#!/bin/sh\necho coalmine-helper 0.0.0-other\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let error = helper(Some(&path)).unwrap_err();
        assert!(matches!(&error, FleetError::HelperVersion { found, .. } if found == "0.0.0-other"), "{error}");
    }

    #[test]
    fn a_folder_is_not_a_program() {
        assert!(!is_program(Path::new("/usr")));
        assert!(is_program(Path::new("/bin/sh")));
    }
}
