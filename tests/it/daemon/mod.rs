//! The real daemon and the real command line, on real tmux: what people type, and what they read.
mod attach;
mod changes;
mod clients;
pub mod disk;
mod events;
mod host;
mod input;
mod lost_files;
mod mute;
mod names;
mod overruled;
mod peers;
mod readiness;
mod reads;
mod registry;
mod restart;
mod up_and_down;
