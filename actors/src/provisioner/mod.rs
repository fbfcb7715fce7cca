//! The provisioner: has the memory provider's commands run when a peer is born, swept on or off, or removed.
//!
//! ```text
//! joint or sweep ─▶ schedule.rs: who, when ─▶ visit.rs: one peer ─▶ errand.rs: what ─▶ port: settings, then the command
//! ```
//!
//! [`Provisioning`] is what others hold. `slot.rs` reads the declaration, `errand.rs` plans from it, `schedule.rs` keeps
//! the order; `actor.rs` carries that out and waits for nothing. No failure of a provider is an error of the fleet:
//! each is a [`ProvisionOutcome`].

mod actor;
mod board;
pub mod errand;
mod error;
mod handle;
mod host_plugins;
mod keeper;
mod message;
pub mod occasion;
pub mod outcome;
pub mod port;
pub mod recipe;
pub mod schedule;
pub mod slot;
pub mod substitute;
#[cfg(test)]
mod tests;
pub mod view;
mod visit;

pub use error::ProvisionError;
pub use handle::{JOINTS_WAITING_MAX, PARALLEL_MAX, ProvisionRules, Provisioning};
pub use outcome::ProvisionOutcome;
