//! Coalmine keeps a fleet of AI agents alive on one Linux host and tells the truth about them.
//!
//! The `coalmine` program is one user of this library; another program can run a fleet of its own. Start with
//! [`Fleet::builder`]; everything else is a method of the [`FleetHandle`] that it gives. There is no global state:
//! several fleets, each with its own root, run in one process. Dropping the last handle leaves the peers running;
//! [`FleetHandle::shutdown_all`] ends them.
//!
//! A fleet of two, in a root of its own:
//!
//! ```
//! use coalmine::{Fleet, FleetHandle, actors::fleet::request::CreatePeer, actors::view::Streamed};
//! use std::{error::Error, path::Path, time::Duration};
//! use tokio_stream::StreamExt;
//!
//! async fn two_peers(fleet: &FleetHandle, cwd: &Path) -> Result<Vec<String>, Box<dyn Error>> {
//!     let mut ups = fleet.events().filter(|item| matches!(item, Streamed::Event(event) if event.ev == "up"));
//!     for name in ["alice", "bob"] {
//!         let command = ["sh", "-c", "exec sleep 600"].map(String::from).to_vec();
//!         let peer = CreatePeer { name: name.into(), cwd: cwd.into(), command, start: true, ..CreatePeer::default() };
//!         fleet.create(peer).await?; // returns when it is up
//!     }
//!     for _ in 0..2 {
//!         tokio::time::timeout(Duration::from_secs(10), ups.next()).await?;
//!     }
//!     Ok(fleet.list().iter().map(|peer| format!("{} is {}", peer.identity, peer.phase)).collect())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn Error>> {
//!     // Needed only where `coalmine-helper` is neither beside this program nor in PATH.
//!     let helper = "/usr/local/lib/coalmine/coalmine-helper";
//! #   // Here it is the one that `cargo build` or `cargo test` made, unless another one is named.
//! #   let target = option_env!("CARGO_TARGET_DIR").unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/target"));
//! #   let helper = std::env::var("COALMINE_HELPER").unwrap_or_else(|_| format!("{target}/debug/coalmine-helper"));
//!     let root = tempfile::tempdir()?;
//!     let fleet = Fleet::builder().root(root.path()).helper(helper).start().await?;
//!     let peers = two_peers(&fleet, root.path()).await;
//!     let ended = fleet.shutdown_all().await?; // whatever became of it, nothing is left running
//!     assert_eq!(peers?, ["shell-alice is up", "shell-bob is up"]);
//!     assert_eq!(ended, 2);
//!     Ok(())
//! }
//! ```
pub mod age;
pub mod api;
#[doc(hidden)]
pub mod cli;
pub mod config;
pub mod count;
pub mod daemon;
pub mod deaths;
pub mod error;
pub mod explain;
pub mod fleet;
pub mod io;
pub mod mcp;
pub mod metrics;
pub mod offline;
pub mod paths;
pub mod runtimes;
pub mod text;
mod trace;
pub use coalmine_actors as actors;
pub use fleet::{Caller, Fleet, FleetBuilder, FleetHandle, Goal};

// The helper compiles the witness without the actors' crate; both see the line format as `crate::logfmt`.
use coalmine_actors::journal::logfmt;
