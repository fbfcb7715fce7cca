//! Limits of a peer's memory and tasks, by whatever this host offers.
//!
//! ```text
//! systemd runs ─▶ scope.rs  the server is started through `systemd-run --scope`
//!      │ no
//!      ▼
//! a cgroup of ours may be made ─▶ group.rs  made before the server, entered before its session
//!      │ no
//!      ▼
//! unsupported, with what to do: never silently unlimited
//! ```
//!
//! A scope is cleared away by systemd. A group is ours: its folders are written down before they are made, and
//! removed when the life is settled, or before the next one.

mod group;
mod own_groups;
mod scope;

pub use group::{Group, is_noted, noted, release, release_empty};
pub use own_groups::Hierarchy;
pub use scope::Scope;

use coalmine_actors::{error::FleetError, peer::limits::Limits};
use own_groups::Controller;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// Where a host tells what it offers.
#[derive(Debug, Clone)]
pub struct LimitsHost {
    /// Where the cgroup file systems are mounted.
    cgroup_root: PathBuf,
    /// This process's own groups, in the kernel's words.
    own_groups: PathBuf,
    /// There where systemd runs.
    systemd: PathBuf,
}

impl Default for LimitsHost {
    fn default() -> Self {
        Self {
            cgroup_root: "/sys/fs/cgroup".into(),
            own_groups: "/proc/self/cgroup".into(),
            systemd: "/run/systemd/system".into(),
        }
    }
}

/// What applies limits on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mechanism {
    /// A transient scope of systemd, made by the program at this path.
    Systemd(Scope),
    /// Groups of our own, one for each hierarchy that is needed.
    Cgroup(Vec<Hierarchy>),
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Systemd(_) => f.write_str("systemd scope"),
            Self::Cgroup(hierarchies) => {
                let each: Vec<_> = hierarchies.iter().map(ToString::to_string).collect();
                f.write_str(&each.join(", "))
            }
        }
    }
}

impl LimitsHost {
    /// A host whose cgroup file systems, and whose `/proc/self/cgroup` (as `self-cgroup`), lie below `root`; without
    /// systemd.
    pub fn at(root: &Path) -> Self {
        Self {
            cgroup_root: root.to_owned(),
            own_groups: root.join("self-cgroup"),
            systemd: root.join("no-systemd-here"),
        }
    }

    /// How all limits would be applied here.
    ///
    /// # Errors
    /// [`FleetError::Unsupported`], with why and what to do.
    pub fn offers(&self) -> Result<Mechanism, FleetError> {
        self.mechanism(&[Controller::Memory, Controller::Pids])
    }

    /// How these limits are applied here; nothing where nothing is limited.
    ///
    /// # Errors
    /// [`FleetError::Unsupported`]: there is no way here, or more is asked for than the host has.
    pub fn choose(&self, limits: &Limits) -> Result<Option<Mechanism>, FleetError> {
        let memory = limits.memory_max.map(|_| Controller::Memory);
        let tasks = limits.tasks_max.map(|_| Controller::Pids);
        let needed: Vec<_> = memory.into_iter().chain(tasks).collect();
        if needed.is_empty() {
            return Ok(None);
        }
        self.mechanism(&needed).map(Some)
    }

    fn mechanism(&self, needed: &[Controller]) -> Result<Mechanism, FleetError> {
        if self.systemd.is_dir()
            && let Some(scope) = Scope::find()
        {
            return Ok(Mechanism::Systemd(scope));
        }
        own_groups::find(&self.cgroup_root, &self.own_groups, needed).map(Mechanism::Cgroup).map_err(unsupported)
    }
}

/// Limits that can not be applied, and what helps.
fn unsupported(why: impl fmt::Display) -> FleetError {
    FleetError::Unsupported {
        what: format!("limits can not be applied here: {why}"),
        hint:
            "run the daemon under systemd (`coalmine install`) or where it may make cgroups, or leave out memory_max \
               and tasks_max"
                .into(),
    }
}

/// Whether the limits are in range, and the host has what they name: a limit above it would limit nothing.
///
/// # Errors
/// The limit, and what it may be or the host has.
pub fn fits_host(limits: &Limits) -> Result<(), FleetError> {
    let beyond = |what: String| Err(FleetError::Usage { what, hint: "ask for less, or leave the limit out".into() });
    limits.check().or_else(beyond)?;
    let memory = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| mem_total(&text));
    if let Some((asked, has)) = limits.memory_max.zip(memory).filter(|(asked, has)| asked.bytes() > *has) {
        return beyond(format!("memory_max is {asked}, and this host has {} MiB", has >> 20));
    }
    let pids = std::fs::read_to_string("/proc/sys/kernel/pid_max").ok().and_then(|text| text.trim().parse().ok());
    if let Some((asked, has)) = limits.tasks_max.zip(pids).filter(|(asked, has): &(u32, u32)| asked > has) {
        return beyond(format!("tasks_max is {asked}, and this host has room for {has}"));
    }
    Ok(())
}

/// The host's memory, bytes.
fn mem_total(meminfo: &str) -> Option<u64> {
    let kib = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests;
