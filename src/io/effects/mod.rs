//! The effects' adapters, one file a family: each carries out what was decided, by the plan that it is given.
//!
//! A family that is not here answers `effect-unsupported`, which is the port's own answer.
//!
//! ```text
//! grants.rs  a policy's roots, opened; what is left to a program by it
//! fs/        beneath a root, by the kernel
//! proc/      programs, by the descriptor that was checked, behind walls
//! net/       connections, to addresses that were looked at
//! servers/   ports of a session, who answers there, rooms
//! stores/    keys and values, SQLite: a handle is a thread
//! agents/    models, tool servers, other peers
//! ```

pub mod agents;
pub mod audit;
mod chance;
mod environment;
mod fs;
pub mod grants;
mod keys;
mod net;
pub mod policies;
mod proc;
mod servers;
mod sinks;
mod stores;
pub mod tail;
#[cfg(test)]
mod testing;

pub use audit::AuditLog;
pub use chance::OsChance;
pub use environment::HostEnvironment;
pub use fs::{list, roots};
pub use keys::Keys;
pub use policies::{PeerPolicies, Policies};
pub use servers::Functions;
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

/// This host, as far as its families are built.
#[derive(Debug)]
pub struct Host {
    agents: agents::Agents,
    net: net::Net,
    programs: proc::Programs,
    servers: servers::Servers,
    stores: stores::Stores,
}

impl Host {
    /// The host of the fleet whose root has this hash ([`crate::paths::Paths::root_hash`]), for whoever holds that root's
    /// lock: what an earlier one left running is ended. It knows no model, no post and no function yet. Blocks.
    pub fn new(root_hash: String) -> Self {
        proc::end_leftovers(&root_hash);
        let net = net::Net::default();
        let programs = proc::Programs::new(root_hash);
        let tools = agents::mcp::ToolServers::new(programs.clone(), net.clone());
        Self {
            agents: agents::Agents { tools: Some(tools), ..agents::Agents::default() },
            net,
            programs,
            servers: servers::Servers::new(servers::Functions::new()),
            stores: stores::Stores::default(),
        }
    }

    /// With this post, which takes messages to peers.
    #[must_use]
    pub fn posting(mut self, post: Arc<dyn agents::a2a::Post>) -> Self {
        self.agents.post = Some(post);
        self
    }

    /// With models, as the config has them now; their questions refer to these attachments.
    #[must_use]
    pub fn asking(mut self, models: watch::Receiver<Arc<Providers>>, attachments: Attachments) -> Self {
        self.agents.models = Some(agents::llm::Models::new(self.net.clone(), models, attachments));
        self
    }

    /// With these functions, which answer at servers.
    #[must_use]
    pub fn answering(self, functions: Functions) -> Self {
        Self { servers: servers::Servers::new(functions), ..self }
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

    fn servers(&self, call: Call) -> BoxFuture<Outcome> {
        self.servers.perform(call)
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
