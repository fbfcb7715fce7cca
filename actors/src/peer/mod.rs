//! One peer: the pure state machine, the actor that carries its actions out, and what it keeps on disk.
mod actor;
mod adopting;
mod booting;
pub mod config;
pub mod directory;
mod ending;
pub mod file;
mod idling;
pub mod in_flight;
pub mod incident;
pub mod input;
pub mod limits;
pub mod message;
mod pacing;
mod perform;
pub mod phase;
mod rearming;
mod requests;
pub mod restart_knobs;
pub mod restart_policy;
mod show;
mod starting;
pub mod step;
pub mod supervisor;
#[cfg(test)]
mod tests;
mod vigil;
pub mod watch;
