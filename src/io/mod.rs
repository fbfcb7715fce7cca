//! The outside: one adapter for each port of the actors, and what the binary asks of the kernel.

pub mod atomic;
mod blocking;
pub mod harden;
pub mod inotify;
pub mod journal;
pub mod private_dir;
pub mod registry_file;
