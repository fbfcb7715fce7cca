//! The registry: the peers of the fleet, as `fleet.json` holds them.
//!
//! [`RegistryHandle`] is what others hold. `mutation.rs` and `upsert.rs` say what a change makes of a document,
//! `actor.rs` makes it durable, `parse.rs` and `render.rs` are the format.

mod actor;
pub mod changes;
pub mod document;
mod handle;
mod message;
pub mod mutation;
pub mod nearest;
pub mod parse;
pub mod render;
#[cfg(test)]
mod tests;
pub mod upsert;

pub use handle::{CHANGE_DEADLINE, CHANGES_IN_FLIGHT_MAX, RegistryHandle, Reserved};
