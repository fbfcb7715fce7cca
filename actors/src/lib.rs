//! The inside of Coalmine: the supervision tree, its messages, and its decisions. No I/O: see [`ports`].
//!
//! ```text
//! Fleet                      root supervisor; conducts create and remove
//! ├── Journal                the only writer of lifecycle.log; imports exits.log; fans events out
//! ├── Keeper                 restarts the memory; its end is not the fleet's
//! │   └── Store              the only writer of memory.jsonl; group commit
//! ├── Keeper                 restarts the provisioner
//! │   └── Provisioner        has the memory provider's commands run, peer by peer
//! ├── Keeper                 restarts the attachments
//! │   └── Clerk              the only writer of their manifest; who refers to what
//! ├── Keeper                 restarts the broker of effects
//! │   └── Broker             opens sessions, follows policies; the calls themselves do not pass through it
//! ├── Registry               the only writer of fleet.json
//! └── Peers                  one-for-one supervisor
//!     └── Peer <identity>    the state machine; decides: re-arm or record
//!         ├── Watch server   lives as long as the server process lives
//!         └── Watch canary   lives as long as the canary process lives
//! ```
#![forbid(unsafe_code)]

pub mod admission;
pub mod attachments;
pub mod backoff;
pub mod effects;
pub mod error;
pub mod exit;
pub mod fleet;
pub mod journal;
mod keeper;
pub mod memory;
pub mod names;
pub mod outage;
pub mod peer;
pub mod ports;
pub mod provisioner;
pub mod registry;
pub mod repeats;
pub mod restart_budget;
pub mod runtime;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod toml_error;
pub mod turns;
pub mod view;
