//! Looking around below a granted root: what is there, what a folder holds, what lies below it.

use super::{
    remove::known_kind,
    roots::{Place, Root, kind_of, refusal},
};
use crate::io::sandbox::hidden::Id;
use coalmine_actors::effects::error::EffectError;
use globset::{GlobBuilder, GlobMatcher};
use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{AtFlags, Dir, FileType, OFlags, statat},
    io::Errno,
};
use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStringExt,
    path::{Component, Path, PathBuf},
};

/// Most entries of one folder, and most that one call looks at.
pub const ENTRIES_MAX: u64 = 100_000;
/// Paths in one answer where the caller does not say, and most that it can ask for.
pub const PAGE_PATHS: usize = 1_000;
const PAGE_PATHS_MAX: usize = 10_000;
/// Deepest folder below the one that is walked.
const DEPTH_MAX: u64 = 128;

/// What `fs.stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its size, bytes.
    pub size: u64,
    /// When it was last changed, nanoseconds since 1970.
    pub mtime_ns: i128,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Whether it is a regular file.
    pub is_file: bool,
}

/// Part of a long answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Paths relative to the folder that was listed, in their order.
    pub paths: Vec<PathBuf>,
    /// Whether there are more, after the last of these.
    pub more: bool,
}

impl Place<'_> {
    /// What is there. Links that stay inside are followed.
    ///
    /// # Errors
    /// Nothing is there; led out of the root.
    pub fn stat(&self) -> Result<Facts, EffectError> {
        let stat = self.follow(|folder, name| {
            let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
            Ok((kind_of(&stat) != FileType::Symlink).then_some(stat))
        })?;
        self.root.shown(Id::of(&stat))?;
        let kind = kind_of(&stat);
        Ok(Facts {
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            mtime_ns: i128::from(stat.st_mtime) * 1_000_000_000 + i128::from(stat.st_mtime_nsec),
            is_dir: kind == FileType::Directory,
            is_file: kind == FileType::RegularFile,
        })
    }

    /// What is there, or nothing.
    ///
    /// # Errors
    /// Led out of the root, which is no answer to whether something is there.
    pub fn look(&self) -> Result<Option<Facts>, EffectError> {
        match self.stat() {
            Ok(facts) => Ok(Some(facts)),
            Err(EffectError::NotFound | EffectError::Io { kind: io::ErrorKind::NotADirectory }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names in a folder that come after `after`, at most `count` of them.
    ///
    /// # Errors
    /// No folder; led out of the root; more than [`ENTRIES_MAX`] in it.
    pub fn list_dir(&self, after: Option<&Path>, count: usize) -> Result<Page, EffectError> {
        let folder = self.open_list()?;
        let mut page = Paging::new(after, count);
        for (name, _) in names(self.root, &folder)? {
            if !page.take(Path::new(&name)) {
                break;
            }
        }
        Ok(page.done())
    }

    /// The paths below a folder that come after `after`, at most `count` of them; links are named and not followed.
    ///
    /// # Errors
    /// As for [`Place::list_dir`]; deeper than 128 folders.
    pub fn walk(&self, after: Option<&Path>, count: usize) -> Result<Page, EffectError> {
        self.walk_where(|_| true, after, count)
    }

    /// Those of them that a pattern fits.
    ///
    /// # Errors
    /// As for [`Place::walk`].
    pub fn glob(&self, pattern: &GlobMatcher, after: Option<&Path>, count: usize) -> Result<Page, EffectError> {
        self.walk_where(|path| pattern.is_match(path), after, count)
    }

    fn walk_where(
        &self,
        fits: impl Fn(&Path) -> bool,
        after: Option<&Path>,
        count: usize,
    ) -> Result<Page, EffectError> {
        let mut walk = Walk { root: self.root, fits, page: Paging::new(after, count), looked_at: 0 };
        walk.folder(self.open_list()?, &mut PathBuf::new(), DEPTH_MAX)?;
        Ok(walk.page.done())
    }
}

/// Names in their order with what they are, but for those that are hidden.
fn names(root: &Root, folder: &OwnedFd) -> Result<Vec<(OsString, FileType)>, EffectError> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).map_err(refusal)? {
        let entry = entry.map_err(refusal)?;
        if [c".", c".."].contains(&entry.file_name()) {
            continue;
        }
        if names.len() as u64 >= ENTRIES_MAX {
            return Err(EffectError::limit("entries", ENTRIES_MAX));
        }
        let name = OsString::from_vec(entry.file_name().to_bytes().to_vec());
        names.push((name, known_kind(folder, &entry)?));
    }
    names.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    if root.holds_hidden(Id::open(folder)?) {
        names.retain(|(name, _)| is_shown(root, folder, name));
    }
    Ok(names)
}

fn is_shown(root: &Root, folder: &OwnedFd, name: &OsStr) -> bool {
    statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| root.shown(Id::of(&stat)).is_ok())
}

/// One walk, in the order of paths: a folder before what is in it.
struct Walk<'r, F> {
    root: &'r Root,
    fits: F,
    page: Paging,
    looked_at: u64,
}

impl<F: Fn(&Path) -> bool> Walk<'_, F> {
    /// `false` when the page is full.
    fn folder(&mut self, folder: OwnedFd, path: &mut PathBuf, depth_left: u64) -> Result<bool, EffectError> {
        let Some(depth_left) = depth_left.checked_sub(1) else { return Err(EffectError::limit("depth", DEPTH_MAX)) };
        for (name, kind) in names(self.root, &folder)? {
            path.push(&name);
            let goes_on = self.entry(&folder, path, &name, kind, depth_left)?;
            path.pop();
            if !goes_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn entry(
        &mut self,
        folder: &OwnedFd,
        path: &mut PathBuf,
        name: &OsStr,
        kind: FileType,
        depth_left: u64,
    ) -> Result<bool, EffectError> {
        self.looked_at += 1;
        if self.looked_at > ENTRIES_MAX {
            return Err(EffectError::limit("entries", ENTRIES_MAX));
        }
        if (self.fits)(path) && !self.page.take(path) {
            return Ok(false);
        }
        if kind != FileType::Directory || self.page.is_past(path) {
            return Ok(true);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        match self.root.beneath(folder.as_fd(), name, flags) {
            Ok(below) => self.folder(below, path, depth_left),
            // Removed or exchanged meanwhile, or not ours to read: it was named, and that is all that is known of it.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => Ok(true),
            Err(error) => Err(refusal(error)),
        }
    }
}

/// What of an ordered list belongs into this answer.
struct Paging {
    after: Option<PathBuf>,
    count: usize,
    page: Page,
}

impl Paging {
    fn new(after: Option<&Path>, count: usize) -> Self {
        Self { after: after.map(Path::to_owned), count: count.clamp(1, PAGE_PATHS_MAX), page: Page::default() }
    }

    /// Takes the next path; `false` when the page is full.
    fn take(&mut self, path: &Path) -> bool {
        if self.after.as_deref().is_some_and(|after| path <= after) {
            return true;
        }
        if self.page.paths.len() == self.count {
            self.page.more = true;
            return false;
        }
        self.page.paths.push(path.to_owned());
        true
    }

    /// Whether all that lies below `folder` was in an earlier answer.
    fn is_past(&self, folder: &Path) -> bool {
        self.after.as_deref().is_some_and(|after| folder < after && !after.starts_with(folder))
    }

    fn done(self) -> Page {
        self.page
    }
}

/// A pattern of paths below a folder: `*` and `?` stay within a name, `**` goes through folders.
///
/// # Errors
/// What is wrong with the pattern.
pub fn pattern(text: &Path) -> Result<GlobMatcher, EffectError> {
    let bad = |why: String| EffectError::bad("pattern", why);
    if text.components().any(|part| part == Component::ParentDir) {
        return Err(bad("it holds `..` behind a wildcard".into()));
    }
    let text = text.to_str().ok_or_else(|| bad("it is not UTF-8".into()))?;
    let glob = GlobBuilder::new(text).literal_separator(true).build();
    Ok(glob.map_err(|error| bad(error.kind().to_string()))?.compile_matcher())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stays_within_a_name() {
        for (text, fits, does_not) in [
            ("*.rs", "x.rs", "c/x.rs"),
            ("**/x", "b/c/x", "b/y"),
            ("**/x", "x", "xx"),
            ("*", "etc", "etc/passwd"),
            ("{b,c}/?", "c/x", "d/x"),
            ("[a-c]", "b", "d"),
        ] {
            let glob = pattern(Path::new(text)).unwrap();
            assert!(glob.is_match(fits) && !glob.is_match(does_not), "{text}");
        }
        for bad in ["*/../b", "[", "{b"] {
            assert_eq!(pattern(Path::new(bad)).unwrap_err().code(), "bad-args", "{bad}");
        }
    }
}
