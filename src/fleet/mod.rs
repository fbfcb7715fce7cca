//! A fleet in a Rust program: [`Fleet::builder`] starts one, [`FleetHandle`] asks it for things.
mod admit;
pub(crate) mod attachments;
pub(crate) mod builder;
mod effects;
mod explain;
pub(crate) mod goal;
mod handle;
mod memory;
pub mod plan;
mod provision;
mod requests;
mod shutdown;
mod status;
mod wait;
pub use builder::{Fleet, FleetBuilder};
pub use goal::Goal;
pub use handle::FleetHandle;
pub use shutdown::EndOfAll;
