//! The effects' adapters, one file a family: each carries out what was decided, by the plan that it is given.
//!
//! A family that is not here answers `effect-unsupported`, which is the port's own answer.
//!
//! ```text
//! grants.rs  a policy's roots, opened; what is left to a program by it
//! fs/        beneath a root, by the kernel
//! agents/    models, by the providers of the config; tool servers, by the policy
//! net/       connections, to addresses that were looked at
//! proc/      programs, by the descriptor that was checked, behind walls
//! stores/    keys and values, SQLite: a handle is a thread
//! ```

mod agents;
pub mod audit;
mod chance;
mod environment;
mod fs;
pub mod grants;
mod net;
pub mod policies;
mod proc;
mod sinks;
mod stores;
pub mod tail;
#[cfg(test)]
mod testing;

pub use audit::AuditLog;
pub use chance::OsChance;
pub use environment::HostEnvironment;
pub use fs::{list, roots};
pub use policies::{PeerPolicies, Policies};
pub use sinks::PeerSinks;

use crate::config::models::Providers;
use coalmine_actors::{
    attachments::Attachments,
    effects::{
        EffectError,
        policy::Policy,
        port::{Call, EffectHost, Opened, Outcome, Sink},
    },
    ports::BoxFuture,
};
use grants::Grants;
use std::sync::Arc;
use tokio::sync::watch;

/// What the host needs of the fleet that it belongs to.
pub struct HostParts {
    /// The hash of the fleet's root ([`crate::paths::Paths::root_hash`]), whose lock is held.
    pub root_hash: String,
    /// Models that may be asked, as the config has them now.
    pub models: watch::Receiver<Arc<Providers>>,
    /// Where questions to models find what they refer to.
    pub attachments: Attachments,
}

/// This host, as far as its families are built.
#[derive(Debug)]
pub struct Host {
    agents: agents::Agents,
    net: net::Net,
    programs: proc::Programs,
    stores: stores::Stores,
}

impl Host {
    /// The host of a fleet: what an earlier one left running is ended. Blocks.
    pub fn new(parts: HostParts) -> Self {
        let HostParts { root_hash, models, attachments } = parts;
        proc::end_leftovers(&root_hash);
        let net = net::Net::default();
        let programs = proc::Programs::new(root_hash);
        let agents = agents::Agents {
            models: agents::llm::Models::new(net.clone(), models, attachments),
            tools: agents::mcp::ToolServers::new(programs.clone(), net.clone()),
        };
        Self { agents, net, programs, stores: stores::Stores::default() }
    }
}

impl EffectHost for Host {
    fn open(&self, policy: &Policy) -> Opened {
        Arc::new(Grants::open(policy))
    }

    fn files(&self, call: Call) -> Outcome {
        fs::perform(call)
    }

    fn log_sink(&self, call: Call) -> Result<Arc<dyn Sink>, EffectError> {
        Ok(Arc::new(fs::log_file(&call)?))
    }

    fn programs(&self, call: Call) -> BoxFuture<Outcome> {
        self.programs.perform(call)
    }

    fn agents(&self, call: Call) -> BoxFuture<Outcome> {
        self.agents.perform(call)
    }

    fn net(&self, call: Call) -> BoxFuture<Outcome> {
        self.net.perform(call)
    }

    fn stores(&self, call: Call) -> BoxFuture<Outcome> {
        self.stores.perform(call)
    }
}
