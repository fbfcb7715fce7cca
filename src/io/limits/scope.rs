//! A transient scope of systemd around a server: `systemd-run --scope` moves itself into it, then becomes tmux.
//!
//! So the pid stays, and so do the descriptors that it was passed: the server's lock is held on.

use super::{group::group_name, unsupported};
use crate::io::{find, pidfd::Pidfd};
use coalmine_actors::{error::FleetError, peer::limits::Limits};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::Instant;

/// How long systemd may take to make a scope.
const SCOPE_DEADLINE: Duration = Duration::from_secs(5);
const SCOPE_LOOK: Duration = Duration::from_millis(2);
/// How `systemd-run --user` finds the user's own manager.
const BUS_ENV: [&str; 2] = ["XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"];

/// The way to a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    program: PathBuf,
    /// The user's manager, and not the system's.
    user: bool,
}

impl Scope {
    /// Through the system's manager for root, through the user's own for everybody else.
    pub(super) fn find() -> Option<Self> {
        let program = find::in_path("systemd-run")?;
        Some(Self { program, user: !rustix::process::geteuid().is_root() })
    }

    /// The program that makes the scope.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Its arguments, before those of the server's own command.
    pub fn args(&self, mark: &str, limits: &Limits) -> Vec<OsString> {
        let memory = limits.memory_max.map(|memory| format!("MemoryMax={}", memory.bytes()));
        let tasks = limits.tasks_max.map(|tasks| format!("TasksMax={tasks}"));
        let user = self.user.then(|| "--user".to_owned());
        let fixed = ["--scope", "--quiet", "--collect"].map(str::to_owned);
        let properties = memory.into_iter().chain(tasks).flat_map(|property| ["-p".to_owned(), property]);
        user.into_iter()
            .chain(fixed)
            .chain([format!("--unit={}", group_name(mark))])
            .chain(properties)
            .chain(["--".to_owned()])
            .map(OsString::from)
            .collect()
    }

    /// Whether these words of the server's command reach it as they are: newer versions of `systemd-run` expand `$`, and
    /// older ones know no way to forbid it.
    ///
    /// # Errors
    /// [`FleetError::Unsupported`], with the word.
    pub fn passes(words: &[&Path]) -> Result<(), FleetError> {
        match words.iter().find(|word| word.as_os_str().as_encoded_bytes().contains(&b'$')) {
            None => Ok(()),
            Some(word) => Err(unsupported(format_args!("systemd-run would read meaning into {}", word.display()))),
        }
    }

    /// Variables that it needs besides the server's.
    pub fn env(&self) -> Vec<(&'static str, OsString)> {
        let env = BUS_ENV.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
        env.filter(|_| self.user).collect()
    }

    /// Waits until the process is in its scope.
    ///
    /// # Errors
    /// [`FleetError::Unsupported`]: systemd refused, or did not answer in time.
    pub async fn joined(&self, server: &Pidfd, mark: &str) -> Result<(), FleetError> {
        let scope = format!("/{}.scope", group_name(mark));
        let groups = format!("/proc/{}/cgroup", server.id().pid);
        let program = format!("/proc/{}/exe", server.id().pid);
        let deadline = Instant::now() + SCOPE_DEADLINE;
        while !server.is_dead() && Instant::now() < deadline {
            let inside = std::fs::read_to_string(&groups).is_ok_and(|text| text.contains(&scope));
            let became = std::fs::read_link(&program).is_ok_and(|program| !program.ends_with("systemd-run"));
            if inside && became {
                return Ok(());
            }
            tokio::time::sleep(SCOPE_LOOK).await;
        }
        Err(unsupported("systemd made no scope for the server"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_named_after_the_life_and_bears_its_limits() {
        let scope = |user| Scope { program: "/usr/bin/systemd-run".into(), user };
        let limits = Limits { memory_max: Some("64M".parse().unwrap()), tasks_max: Some(100) };
        let words = |scope: &Scope, limits| scope.args("0a-shell-bob-g7", &limits).join(" ".as_ref());
        assert_eq!(
            words(&scope(true), limits),
            "--user --scope --quiet --collect --unit=coalmine-0a-shell-bob-g7 -p MemoryMax=67108864 -p TasksMax=100 --"
        );
        let tasks = Limits { memory_max: None, ..limits };
        assert_eq!(
            words(&scope(false), tasks),
            "--scope --quiet --collect --unit=coalmine-0a-shell-bob-g7 -p TasksMax=100 --"
        );
    }
}
