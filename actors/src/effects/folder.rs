//! Folders that a policy grants, and where in one a path lies. Pure: nothing here looks at a disk.

use serde::{Serialize, Serializer};
use std::path::{Component, Path, PathBuf};

/// Longest path, bytes: what the kernel takes, without the closing NUL.
pub const PATH_BYTES_MAX: usize = 4_095;

/// A folder that is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    path: PathBuf,
    real: PathBuf,
}

impl Folder {
    /// The folder at `path`.
    ///
    /// # Errors
    /// What is wrong with the path.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, &'static str> {
        let path = path.into();
        let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
        match path.as_os_str().len() {
            _ if !path.is_absolute() => Err("it is not an absolute path"),
            _ if !path.components().all(plain) => Err("it holds `..`"),
            _ if path.as_os_str().as_encoded_bytes().contains(&0) => Err("it holds a NUL character"),
            PATH_BYTES_MAX.. => Err("it is too long"),
            // Collected anew it has no double or closing slashes.
            _ => Ok(Self { real: path.components().collect(), path: path.components().collect() }),
        }
    }

    /// With the place that its path leads to when all links are followed.
    #[must_use]
    pub fn with_real(self, real: PathBuf) -> Self {
        Self { real, ..self }
    }

    /// As the policy names it, and as callers must begin their paths.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it is, all links followed; the same as its path where nobody looked.
    pub fn real(&self) -> &Path {
        &self.real
    }

    /// Where `path` lies beneath it: relative, empty for the folder itself; nothing where it lies elsewhere, or climbs
    /// out on its way by name. What links do on the way is for the kernel to hold.
    pub fn beneath(&self, path: &Path) -> Option<PathBuf> {
        let rest = path.strip_prefix(&self.path).ok()?;
        let mut depth = 0_usize;
        for part in rest.components() {
            match part {
                Component::Normal(_) => depth += 1,
                Component::ParentDir => depth = depth.checked_sub(1)?,
                Component::CurDir => {}
                Component::RootDir | Component::Prefix(_) => return None,
            }
        }
        Some(rest.components().collect())
    }

    /// What two of them have in common: the deeper one, where it lies in the other.
    pub fn meet(&self, other: &Self) -> Option<Self> {
        if self.lies_in(other) { Some(self.clone()) } else { other.lies_in(self).then(|| other.clone()) }
    }

    /// By name, and by where it really is: a link could lead out.
    fn lies_in(&self, other: &Self) -> bool {
        self.path.starts_with(&other.path) && self.real.starts_with(&other.real)
    }
}

impl Serialize for Folder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.path.serialize(serializer)
    }
}

/// Whether `path`, climbing as its `..` say, ends in one of `folders` or above one: then what is done to it is done to
/// them.
pub fn touches(path: &Path, folders: &[PathBuf]) -> bool {
    let path = climbed(path);
    folders.iter().any(|folder| path.starts_with(folder))
}

/// Whether one of `folders` lies in `path`.
pub fn holds(path: &Path, folders: &[PathBuf]) -> bool {
    let path = climbed(path);
    folders.iter().any(|folder| folder.starts_with(&path))
}

/// The path without its `..` and `.`, as if there were no links.
pub(super) fn climbed(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beneath(path: &str) -> Option<String> {
        let folder = Folder::new("/home/me/project/").unwrap();
        folder.beneath(Path::new(path)).map(|rest| rest.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_path_lies_beneath_by_whole_names_and_never_climbs_out() {
        for (path, rest) in [
            ("/home/me/project", Some("")),
            ("/home/me/project/", Some("")),
            ("/home//me/project/./a//b", Some("a/b")),
            ("/home/me/project/a/../b", Some("a/../b")),
            ("/home/me/project/a/../../project/b", None),
            ("/home/me/project/..", None),
            ("/home/me/projects", None),
            ("/home/me/other/../project/a", None),
            ("/home/me", None),
            ("home/me/project/a", None),
        ] {
            assert_eq!(beneath(path).as_deref(), rest, "{path}");
        }
    }

    #[test]
    fn a_folder_has_one_plain_absolute_path() {
        for bad in ["", "a", "/a/../b", "/a\0b", &"/x".repeat(PATH_BYTES_MAX)] {
            assert!(Folder::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(Folder::new("/a//b/").unwrap().path(), Path::new("/a/b"));
        assert_eq!(Folder::new("/").unwrap().beneath(Path::new("/etc")).unwrap(), Path::new("etc"));
    }

    #[test]
    fn two_folders_meet_in_the_deeper_one() {
        let [all, project, other] = ["/home", "/home/me", "/srv"].map(|path| Folder::new(path).unwrap());
        assert_eq!(all.meet(&project), Some(project.clone()));
        assert_eq!(project.meet(&all), Some(project.clone()));
        assert_eq!(project.meet(&other), None);
    }

    #[test]
    fn what_touches_a_folder_is_found_however_it_is_written() {
        let own = [PathBuf::from("/s/fleet")];
        for path in ["/s/fleet", "/s/fleet/run/x", "/s/./fleet/x", "/s/a/../fleet"] {
            assert!(touches(Path::new(path), &own), "{path}");
        }
        assert!(!touches(Path::new("/s/fleeting"), &own));
        assert!(holds(Path::new("/s"), &own) && holds(Path::new("/s/fleet"), &own) && !holds(Path::new("/t"), &own));
    }
}
