//! Coalmine keeps a fleet of AI agents alive on one Linux host and tells the truth about them.
pub mod age;
pub mod config;
pub mod error;
pub mod fleet;
pub mod io;
pub mod paths;
pub mod runtimes;
pub mod text;
pub use coalmine_actors as actors;
pub use fleet::{Fleet, FleetBuilder, FleetHandle};
