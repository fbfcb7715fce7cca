//! The journal: what happened, one line an event.
//!
//! [`JournalHandle`] is what others hold. `ledger.rs` decides what is written when, `actor.rs` carries it out,
//! `event.rs` and `logfmt.rs` are the format.

mod actor;
pub mod event;
mod handle;
pub mod ledger;
#[cfg(test)]
mod ledger_tests;
pub mod logfmt;
mod message;
#[cfg(test)]
mod tests;

pub use event::Draft;
pub use handle::{FOLLOWERS_LAG_EVENTS_MAX, JournalHandle, JournalStatus};
