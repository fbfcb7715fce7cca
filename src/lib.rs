//! Coalmine keeps a fleet of AI agents alive on one Linux host and tells the truth about them.
pub mod age;
pub mod api;
#[doc(hidden)]
pub mod cli;
pub mod config;
pub mod daemon;
pub mod deaths;
pub mod error;
pub mod fleet;
pub mod io;
pub mod offline;
pub mod paths;
pub mod runtimes;
pub mod text;
pub use coalmine_actors as actors;
pub use fleet::{Fleet, FleetBuilder, FleetHandle};

// The helper compiles the witness without the actors' crate; both see the line format as `crate::logfmt`.
use coalmine_actors::journal::logfmt;
