//! A fleet in a Rust program: [`Fleet::builder`] starts one, [`FleetHandle`] asks it for things.
mod builder;
mod handle;
pub use builder::{Fleet, FleetBuilder};
pub use handle::FleetHandle;
