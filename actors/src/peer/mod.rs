//! One peer: the pure state machine, the actor that carries its actions out, and what it keeps on disk.
pub mod file;
pub mod restart_policy;
