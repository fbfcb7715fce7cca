//! Where groups of our own may be made: below the cgroup of this process, in each hierarchy that is needed.

use super::unsupported;
use coalmine_actors::{error::FleetError, peer::limits::Limits};
use rustix::fs::{Access, access};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// What the kernel limits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Pids,
}

impl Controller {
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }
}

/// One hierarchy in which a group is made, and this process's own group there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchy {
    version: Version,
    /// The folder of our own group.
    own: PathBuf,
    /// What is limited in it.
    controllers: Vec<Controller>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// One hierarchy for each controller.
    One,
    /// One for all, where a controller must be enabled for the groups below.
    Two,
}

impl fmt::Display for Hierarchy {
    /// `cgroup v1 (memory) at /sys/fs/cgroup/memory`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = if self.version == Version::One { 1 } else { 2 };
        let names: Vec<_> = self.controllers.iter().map(|controller| controller.name()).collect();
        write!(f, "cgroup v{version} ({}) at {}", names.join(" "), self.own.display())
    }
}

/// The hierarchies that together limit all that is needed, or why there are none.
pub(super) fn find(root: &Path, own_groups: &Path, needed: &[Controller]) -> Result<Vec<Hierarchy>, String> {
    let own = fs::read_to_string(own_groups).map_err(|error| format!("{}: {error}", own_groups.display()))?;
    let mut found: Vec<Hierarchy> = Vec::new();
    for controller in needed {
        let hierarchy =
            version_one(root, &own, *controller).map_or_else(|| version_two(root, &own, *controller), Ok)?;
        match found.iter_mut().find(|known| known.own == hierarchy.own) {
            Some(known) => known.controllers.push(*controller),
            None => found.push(hierarchy),
        }
    }
    if let Some(closed) = found.iter().find(|hierarchy| access(&hierarchy.own, Access::WRITE_OK).is_err()) {
        return Err(format!("{} may not be written by this user", closed.own.display()));
    }
    Ok(found)
}

/// `4:memory:/a/b`: the hierarchy that has this controller for itself.
fn version_one(root: &Path, own: &str, controller: Controller) -> Option<Hierarchy> {
    let group = own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        (parts.next()? == controller.name()).then(|| parts.next())?
    })?;
    let own = visible(&root.join(controller.name()), group)?;
    Some(Hierarchy { version: Version::One, own, controllers: vec![controller] })
}

/// `0::/a/b`: the one hierarchy, if the controller is enabled for groups below ours, or may be.
fn version_two(root: &Path, own: &str, controller: Controller) -> Result<Hierarchy, String> {
    let name = controller.name();
    let group = own.lines().find_map(|line| line.strip_prefix("0::"));
    let Some(own) = group.and_then(|group| {
        [root.to_owned(), root.join("unified")]
            .iter()
            .filter(|mount| mount.join("cgroup.controllers").is_file())
            .find_map(|mount| visible(mount, group))
    }) else {
        return Err(format!("no cgroup file system with the controller {name} is mounted below {}", root.display()));
    };
    let holds = |file: &str| {
        fs::read_to_string(own.join(file)).is_ok_and(|names| names.split_whitespace().any(|other| other == name))
    };
    let crowded = || fs::read_to_string(own.join("cgroup.procs")).is_ok_and(|pids| !pids.trim().is_empty());
    let is_root = group == Some("/");
    if !holds("cgroup.controllers") {
        Err(format!("the controller {name} is not given to {}", own.display()))
    } else if !holds("cgroup.subtree_control") && crowded() && !is_root {
        Err(format!(
            "{} holds processes itself, so the kernel enables no controller ({name}) for groups below it",
            own.display()
        ))
    } else {
        Ok(Hierarchy { version: Version::Two, own, controllers: vec![controller] })
    }
}

/// The group's folder; in a container the mount may begin with the group itself.
fn visible(mount: &Path, group: &str) -> Option<PathBuf> {
    let inner = mount.join(group.trim_start_matches('/'));
    [inner, mount.to_owned()].into_iter().find(|folder| folder.is_dir())
}

impl Hierarchy {
    /// The folder of a group of this name below our own.
    pub(super) fn group(&self, name: &str) -> PathBuf {
        self.own.join(name)
    }

    /// Makes the group with its limits, empty. Whatever was made is left for who removes what was written down.
    pub(super) fn make(&self, name: &str, limits: &Limits) -> Result<(), FleetError> {
        let group = self.group(name);
        for controller in self.controllers.iter().filter(|_| self.version == Version::Two) {
            // Enabled already is no error; a refusal is the kernel's word that processes are in the way.
            write(&self.own.join("cgroup.subtree_control"), format_args!("+{}", controller.name()))?;
        }
        match fs::create_dir(&group) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(unsupported(format_args!("{} can not be made: {error}", group.display())));
            }
            _ => {}
        }
        for controller in &self.controllers {
            let (file, limit) = match (controller, self.version) {
                (Controller::Memory, Version::One) => ("memory.limit_in_bytes", memory(limits)),
                (Controller::Memory, Version::Two) => ("memory.max", memory(limits)),
                (Controller::Pids, _) => ("pids.max", limits.tasks_max.map(u64::from)),
            };
            if let Some(limit) = limit {
                write(&group.join(file), limit)?;
            }
        }
        Ok(())
    }
}

fn memory(limits: &Limits) -> Option<u64> {
    limits.memory_max.map(|memory| memory.bytes())
}

/// One write, as these files want it.
pub(super) fn write(file: &Path, value: impl fmt::Display) -> Result<(), FleetError> {
    fs::write(file, value.to_string())
        .map_err(|error| unsupported(format_args!("{value} can not be written to {}: {error}", file.display())))
}
