//! Folders that only their owner may enter: made so, or refused.

use coalmine_actors::error::FleetError;
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::Path,
};

/// Makes the folder (0700) where nothing lies, parents included, and checks it.
///
/// # Errors
/// [`FleetError::Unsafe`] when it is a link, not a folder, not ours, or open to others; [`FleetError::Io`].
pub fn ensure(path: &Path) -> Result<(), FleetError> {
    match fs::DirBuilder::new().recursive(true).mode(0o700).create(path) {
        Ok(()) => {}
        // A link or a file in the way: the check says which.
        Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(FleetError::io("create", path, source)),
    }
    check(path)
}

/// Makes the state root, or checks it. An empty folder of ours that others may enter is made private; one that
/// holds something is somebody's, and stays as it is.
///
/// # Errors
/// It can not be made, or is not private.
pub fn root(path: &Path) -> Result<(), FleetError> {
    let empty = fs::read_dir(path).is_ok_and(|mut files| files.next().is_none());
    let ours = path.metadata().is_ok_and(|meta| meta.uid() == rustix::process::geteuid().as_raw());
    if empty && ours {
        let private = PermissionsExt::from_mode(0o700);
        fs::set_permissions(path, private).map_err(|source| FleetError::io("make private", path, source))?;
    }
    ensure(path)
}

/// Checks that the folder is ours alone, without following a link.
///
/// # Errors
/// As [`ensure`].
pub fn check(path: &Path) -> Result<(), FleetError> {
    let meta = fs::symlink_metadata(path).map_err(|source| FleetError::io("inspect", path, source))?;
    let uid = rustix::process::geteuid().as_raw();
    let mode = meta.mode() & 0o777;
    let why = match () {
        () if meta.is_symlink() => "is a link".to_owned(),
        () if !meta.is_dir() => "is not a folder".to_owned(),
        () if meta.uid() != uid => format!("belongs to user {}, not to {uid}", meta.uid()),
        () if mode & 0o077 != 0 => format!("is open to others (mode {mode:03o})"),
        () => return Ok(()),
    };
    Err(FleetError::Unsafe { path: path.to_path_buf(), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_link_a_file_and_an_open_folder_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let good = temp.path().join("a/b");
        ensure(&good).unwrap();
        ensure(&good).unwrap();
        symlink(&good, temp.path().join("link")).unwrap();
        fs::write(temp.path().join("file"), "").unwrap();
        let open = temp.path().join("open");
        fs::create_dir(&open).unwrap();
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        for (name, why) in [("link", "is a link"), ("file", "is not a folder"), ("open", "mode 755")] {
            let error = ensure(&temp.path().join(name)).unwrap_err();
            assert!(error.to_string().contains(why), "{name}: {error}");
        }
    }
}
