//! Replaces a file as a whole: whoever opens it finds the old content or the new one, also after a power cut.

use std::{fs::File, io, io::Write, path::Path};

/// Writes `bytes` to a temporary file (0600) beside `path`, makes it durable, renames it over `path` and makes the
/// rename durable. Blocks.
///
/// # Errors
/// What the kernel refused. Before the rename `path` is as it was and the temporary file is gone; should only the
/// last step fail, the new content is in place but may not outlive a power cut.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temp = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder)?;
    temp.write_all(bytes)?;
    temp.as_file().sync_all()?;
    // From here on the name is `path`'s; a refused rename hands the file back, and its drop removes it.
    temp.persist(path)?;
    sync_folder(folder)
}

/// Makes the entries of a folder durable: creations, renames, removals.
///
/// # Errors
/// What the kernel refused.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn the_file_holds_the_new_content_and_is_private() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("state.json");
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(temp.path()), ["state.json"]);
    }

    #[test]
    fn who_holds_the_old_file_goes_on_reading_it() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("state.json");
        replace(&path, b"old").unwrap();
        let held = File::open(&path).unwrap();
        replace(&path, b"newer").unwrap();
        assert_eq!(io::read_to_string(held).unwrap(), "old");
    }

    #[test]
    fn a_refused_rename_leaves_nothing_behind() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("taken");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"new").is_err());
        assert_eq!(names(temp.path()), ["taken"]);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let temp = tempfile::tempdir().unwrap();
        let error = replace(&temp.path().join("no/state.json"), b"x").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
