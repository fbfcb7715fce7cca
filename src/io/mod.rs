//! Adapters: everything that touches the kernel, one a port, and what they share.

pub mod atomic;
pub mod attachments;
pub(crate) mod blocking;
pub mod boot;
pub mod canary;
mod child;
pub mod clock;
pub mod dice;
pub mod effects;
pub mod exits;
pub mod fault;
pub mod find;
pub mod harden;
mod held;
pub mod inotify;
pub mod journal;
mod late_canary;
mod life_mark;
pub mod limits;
pub mod lock;
pub mod lock_holder;
pub mod log_file;
pub mod memory;
mod peer_pidfd;
pub mod peer_store;
pub mod pidfd;
pub mod private_dir;
pub mod private_file;
pub mod provisioner;
pub mod reaper;
pub mod registry_file;
pub mod sandbox;
pub mod servers;
pub mod socket_folder;
pub mod spawn;
pub mod stderr;
pub mod systemd;
pub mod tmux;
pub mod tmux_version;
pub mod traces;
pub mod version_of;
pub mod witness;
mod worker;

use crate::paths::Paths;
use coalmine_actors::ports::LifeKey;
use witness::LifePaths;

/// Where the witnesses of a life look.
fn life_paths(paths: &Paths, life: &LifeKey) -> LifePaths {
    LifePaths {
        journal: paths.journal(),
        peer_dir: paths.peer(&life.identity),
        identity: life.identity.to_string(),
        generation: life.generation.0,
    }
}
