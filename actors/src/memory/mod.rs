//! The memory: what the fleet remembers, one line a record, in a file that people and other tools read too.
//!
//! [`Memory`] is what others hold. `ledger.rs` decides what is written when, `actor.rs` carries it out, `index.rs` is
//! what the file says; `line.rs`, `foreign.rs`, `write.rs` and `scan.rs` are the format.

pub mod compact;
pub mod error;
pub mod foreign;
#[cfg(test)]
mod format_tests;
pub mod index;
pub mod item;
pub mod line;
pub mod query;
pub mod scan;
mod text;
pub mod time;
pub mod verify;
pub mod write;
