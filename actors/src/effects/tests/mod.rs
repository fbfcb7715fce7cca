//! Every operation, decided and called, with everything around it faked.

mod decisions;
mod examples;
mod house;
pub(super) mod memory_log;
mod nested;
mod policies;
mod sessions;
