//! The helper: beside this program or in PATH, and of this very version.

use crate::cli::findings::Finding;
use coalmine_actors::error::FleetError;
use rustix::fs::{Access, access};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

const NAME: &str = "coalmine-helper";
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) fn check() -> Finding {
    let looked: Vec<PathBuf> = places().collect();
    let found = looked.iter().find(|path| path.is_file() && access(path.as_path(), Access::EXEC_OK).is_ok());
    let judged = match found {
        None => Err(FleetError::HelperMissing { looked }),
        Some(path) => match version(path) {
            found if found == VERSION => Ok(path),
            found => Err(FleetError::HelperVersion { path: path.clone(), found, wanted: VERSION.into() }),
        },
    };
    match judged {
        Ok(path) => Finding::ok("helper", format!("{} {VERSION}", path.display())),
        Err(error) => Finding::bad("helper", &error, error.hint()),
    }
}

/// Beside this program, then every folder of PATH.
fn places() -> impl Iterator<Item = PathBuf> {
    let program = std::fs::read_link("/proc/self/exe").ok();
    let beside = program.and_then(|path| path.parent().map(|folder| folder.join(NAME)));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path: Vec<_> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    beside.into_iter().chain(in_path.into_iter().map(|folder| folder.join(NAME)))
}

/// What it says after its name.
fn version(path: &Path) -> String {
    let output = Command::new(path).arg("--version").env_clear().output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let version = text.trim().strip_prefix(NAME).map(str::trim).filter(|version| !version.is_empty());
    version.unwrap_or("unknown").to_owned()
}
