//! Which tmux this is: 3.2 or later serves.

use super::version_of;
use coalmine_actors::error::FleetError;
use std::{io, path::Path, process::Command};

/// The oldest tmux that serves, major and minor.
const OLDEST: Version = Version { major: 3, minor: 2 };

/// What of a version is compared; the letter of a patch release is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// Before the point.
    pub major: u32,
    /// After it.
    pub minor: u32,
}

/// What `tmux -V` printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// A release, or the next one (`next-3.5`).
    Release(Version),
    /// The one in OpenBSD's base system, which is newer than any release that matters here; or built from `master`.
    Rolling,
    /// Nothing that is known.
    Unknown,
}

/// What the program says of itself, and what that means. Blocks.
///
/// # Errors
/// It can not be run, does not answer, or is too old.
pub fn check(program: &Path) -> Result<(String, Said), FleetError> {
    let text = match version_of::ask(program, Command::new(program).arg("-V")) {
        Ok(text) => text.trim().to_owned(),
        Err(FleetError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Err(FleetError::TmuxMissing);
        }
        Err(error) => return Err(error),
    };
    match parse(&text) {
        Said::Release(version) if version < OLDEST => {
            Err(FleetError::TmuxTooOld { found: text.trim_start_matches("tmux ").to_owned() })
        }
        said => Ok((text, said)),
    }
}

fn parse(text: &str) -> Said {
    let Some(version) = text.trim().strip_prefix("tmux ") else { return Said::Unknown };
    if version == "master" || version.starts_with("openbsd-") {
        return Said::Rolling;
    }
    let numbers = version.strip_prefix("next-").unwrap_or(version);
    let Some((major, rest)) = numbers.split_once('.') else { return Said::Unknown };
    // `3a`, `5-rc2`: the digits in front count.
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    match (major.parse(), rest[..digits].parse()) {
        (Ok(major), Ok(minor)) => Said::Release(Version { major, minor }),
        _ => Said::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_version_is_understood() {
        let release = |major, minor| Said::Release(Version { major, minor });
        for (text, said) in [
            ("tmux 3.3a\n", release(3, 3)),
            ("tmux 3.2", release(3, 2)),
            ("tmux 2.9a", release(2, 9)),
            ("tmux 3.10", release(3, 10)),
            ("tmux 3.5-rc2", release(3, 5)),
            ("tmux next-3.5", release(3, 5)),
            ("tmux openbsd-7.4", Said::Rolling),
            ("tmux master", Said::Rolling),
            ("tmux", Said::Unknown),
            ("tmux x.y", Said::Unknown),
            ("screen 4.9", Said::Unknown),
            ("", Said::Unknown),
        ] {
            assert_eq!(parse(text), said, "{text:?}");
        }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = |major, minor| Version { major, minor };
        assert!(version(3, 10) > OLDEST && version(4, 0) > OLDEST && version(3, 1) < OLDEST);
    }
}
