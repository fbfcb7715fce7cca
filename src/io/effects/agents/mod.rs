//! The family of others that are asked: models, tool servers.
//!
//! ```text
//! llm/    models, by the providers of the config
//! mcp/    tool servers, by the policy
//! ```

pub(super) mod llm;
pub(super) mod mcp;

use coalmine_actors::{
    effects::{
        EffectError,
        op::Op,
        port::{Call, Outcome},
    },
    ports::BoxFuture,
};
use llm::Models;
use mcp::ToolServers;

/// Whom a fleet asks.
#[derive(Debug, Clone)]
pub(super) struct Agents {
    pub(super) models: Models,
    pub(super) tools: ToolServers,
}

impl Agents {
    pub(super) fn perform(&self, call: Call) -> BoxFuture<Outcome> {
        match call.request.op() {
            Op::AgentLocalComplete | Op::AgentCloudComplete => self.models.perform(call),
            Op::AgentCallMcp => self.tools.perform(call),
            op => Box::pin(async move { Err(EffectError::unsupported(format!("{op} is not built into this fleet"))) }),
        }
    }
}
