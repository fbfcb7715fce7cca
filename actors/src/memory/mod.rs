//! The memory: what the fleet remembers, one line a record, in a file that people and other tools read too.
//!
//! [`Memory`] is what others hold. `ledger.rs` decides what is written when, `actor.rs` carries it out, `index.rs` is
//! what the file says; `line.rs`, `foreign.rs`, `write.rs` and `scan.rs` are the format.

mod actor;
mod batch;
pub mod compact;
pub mod error;
mod flight;
pub mod foreign;
#[cfg(test)]
mod format_tests;
mod handle;
pub mod index;
pub mod item;
mod keeper;
pub mod ledger;
pub mod line;
mod load;
mod message;
pub mod port;
pub mod query;
mod room;
pub mod scan;
#[cfg(test)]
mod tests;
mod text;
pub mod time;
pub mod verify;
pub mod write;

pub use error::MemoryError;
pub use handle::{
    Added, Change, EXPORT_BYTES_MAX, FOLLOWERS_LAG_CHANGES_MAX, HITS_MAX, Memory, MemoryParts, MemoryStatus,
};
pub use ledger::Durability;
