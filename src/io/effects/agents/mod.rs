//! The family of agents: tool servers.

mod mcp;

use super::{net::Net, proc::Programs};
use coalmine_actors::{
    effects::{
        error::EffectError,
        op::Request,
        port::{Call, Outcome},
    },
    ports::BoxFuture,
};

/// What answers for others: clones share it.
#[derive(Debug, Clone)]
pub(super) struct Agents {
    tools: mcp::ToolServers,
}

impl Agents {
    /// Those whose programs are started by `programs`, and that are reached through `net`.
    pub(super) fn new(programs: Programs, net: Net) -> Self {
        Self { tools: mcp::ToolServers::new(programs, net) }
    }

    /// Carries one operation out.
    pub(super) fn perform(&self, call: Call) -> BoxFuture<Outcome> {
        match &call.request {
            Request::AgentCallMcp { .. } => {
                let tools = self.tools.clone();
                Box::pin(async move { tools.perform(call).await })
            }
            other => {
                let what = format!("{} is not built into this fleet", other.op());
                Box::pin(async move { Err(EffectError::unsupported(what)) })
            }
        }
    }
}
