//! A fleet in a Rust program: [`Fleet::builder`] starts one, [`FleetHandle`] asks it for things.
mod admit;
mod builder;
mod handle;
mod memory;
mod status;
mod wait;
pub use builder::{Fleet, FleetBuilder};
pub use handle::FleetHandle;
