//! The state folder: ours alone, short enough for its sockets, with room left.

use crate::{cli::findings::Finding, io::private_dir, paths::Paths};
use coalmine_actors::error::FleetError;
use rustix::fs::{Access, access, statvfs};
use std::path::Path;

/// Free space below which a fleet should not be started, bytes: the journal and the records need room.
const FREE_BYTES_BAD: u64 = 64 * 1024 * 1024;
/// Free space below which somebody should look, bytes.
const FREE_BYTES_WARN: u64 = 1024 * 1024 * 1024;

pub(super) fn check(root: &Path) -> Vec<Finding> {
    let Ok(paths) = Paths::new(root) else {
        let mut found = vec![Finding::ok("root", format!("{} is not there yet", root.display()))];
        found.extend(root.ancestors().find(|folder| folder.exists()).and_then(free));
        return found;
    };
    let mut found = vec![private("root", paths.root()), sockets(&paths)];
    if paths.run().symlink_metadata().is_ok() {
        found.push(private("run", paths.run()));
    }
    if access(paths.root(), Access::WRITE_OK).is_err() {
        found.push(Finding::bad("root", "it can not be written", format!("ls -ld {}", paths.root().display())));
    }
    found.extend(free(paths.root()));
    found
}

fn private(subject: &str, path: &Path) -> Finding {
    match private_dir::check(path) {
        Ok(()) => Finding::ok(subject, format!("{} is yours alone", path.display())),
        Err(error @ FleetError::Unsafe { .. }) => {
            Finding::bad(subject, &error, format!("ls -ld {0}; chmod 700 {0}", path.display()))
        }
        Err(error) => Finding::bad(subject, error.chain(), error.hint()),
    }
}

fn sockets(paths: &Paths) -> Finding {
    let run = paths.run().display();
    if paths.short_run().exists() {
        let says = format!("in {run}; those whose path would be too long there lie in {}", paths.short_run().display());
        Finding::warn("sockets", says, "a shorter --root DIR, if that matters")
    } else {
        Finding::ok("sockets", format!("in {run}"))
    }
}

fn free(path: &Path) -> Option<Finding> {
    let space = statvfs(path).ok()?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let says = format!("{} MiB free for {}", free / (1024 * 1024), path.display());
    let run = format!("df -h {}", path.display());
    Some(match free {
        free if free < FREE_BYTES_BAD => Finding::bad("disk", says, run),
        free if free < FREE_BYTES_WARN => Finding::warn("disk", says, run),
        _ => Finding::ok("disk", says),
    })
}
