//! The outside: one adapter for each port of the actors, and everything that talks to the kernel.

pub mod atomic;
mod blocking;
pub mod harden;
pub mod inotify;
pub mod journal;
pub mod private_dir;
pub mod registry_file;
pub mod witness;
