//! The effects' adapters, one file a family: each carries out what was decided, by the plan that it is given.
//!
//! A family that is not here answers `effect-unsupported`, which is the port's own answer.

pub mod audit;
mod chance;
mod environment;
pub mod policies;
mod sinks;

pub use audit::AuditLog;
pub use chance::OsChance;
pub use environment::HostEnvironment;
pub use policies::{PeerPolicies, Policies};
pub use sinks::PeerSinks;

use coalmine_actors::effects::port::EffectHost;

/// This host, as far as its families are built.
#[derive(Debug, Default)]
pub struct Host;

impl EffectHost for Host {}
