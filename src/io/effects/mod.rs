//! The effects' adapters, one file a family: each carries out what was decided, by the plan that it is given.
//!
//! A family that is not here answers `effect-unsupported`, which is the port's own answer.

mod chance;
mod environment;

pub use chance::OsChance;
pub use environment::HostEnvironment;

use coalmine_actors::effects::port::EffectHost;

/// This host, as far as its families are built.
#[derive(Debug, Default)]
pub struct Host;

impl EffectHost for Host {}
