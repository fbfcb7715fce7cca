//! The newest core dumps, where the host keeps them in a folder.

use super::report::{Section, Skip};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// How many are named.
const NAMED_MAX: usize = 5;
/// How many names of a folder are looked at.
const SEEN_MAX: usize = 2_000;
/// Where systemd puts them.
const SYSTEMD_FOLDER: &str = "/var/lib/systemd/coredump";

/// Names the newest core dumps, and where the kernel sends them.
pub(super) fn newest(section: &mut Section<'_>) -> Result<(), Skip> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern")?;
    let pattern = pattern.trim_end();
    section.foreign(&format!("core_pattern={pattern}"))?;
    let Some(folder) = folder(pattern) else {
        return Err(Skip::Because("dumps go to the dead process's own folder".into()));
    };
    let mut dumps = Vec::new();
    for entry in fs::read_dir(folder)?.flatten().take(SEEN_MAX) {
        section.check_time()?;
        if let Ok(meta) = entry.metadata() {
            dumps.push((meta.modified().unwrap_or(UNIX_EPOCH), meta.len(), entry.path()));
        }
    }
    dumps.sort_unstable_by(|a, b| b.cmp(a));
    for (written, bytes, path) in dumps.into_iter().take(NAMED_MAX) {
        let age_s = SystemTime::now().duration_since(written).unwrap_or_default().as_secs();
        section.foreign(&format!("{age_s} s ago, {bytes} bytes: {}", path.display()))?;
    }
    Ok(())
}

/// The folder that a pattern (core(5)) means, where it means a fixed one.
fn folder(pattern: &str) -> Option<PathBuf> {
    if pattern.starts_with('|') {
        return Some(SYSTEMD_FOLDER.into());
    }
    let folder = Path::new(pattern).parent()?;
    (folder.is_absolute() && !folder.to_string_lossy().contains('%')).then(|| folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_a_folder_or_none() {
        for (pattern, wanted) in [
            ("|/usr/lib/systemd/systemd-coredump %P", Some(SYSTEMD_FOLDER)),
            ("/var/cores/core.%p", Some("/var/cores")),
            ("/var/cores/%u/core", None),
            ("core", None),
        ] {
            assert_eq!(folder(pattern).as_deref(), wanted.map(Path::new), "{pattern}");
        }
    }
}
