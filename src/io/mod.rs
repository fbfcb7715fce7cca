//! The outside: one adapter for each port of the actors, and what the binary asks of the kernel.

pub mod harden;
pub mod journal;
pub mod private_dir;
