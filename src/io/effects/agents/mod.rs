//! The family of agents: others that answer, each in a place of its own.
//!
//! ```text
//! llm/     models, by the providers of the config
//! mcp/     tool servers, by the policy
//! a2a.rs   messages to peers, by the mailroom
//! ```

pub mod a2a;
pub(super) mod llm;
pub(super) mod mcp;

use a2a::Post;
use coalmine_actors::{
    effects::{
        error::EffectError,
        op::Op,
        port::{Call, Outcome},
    },
    ports::BoxFuture,
};
use llm::Models;
use mcp::ToolServers;
use std::sync::Arc;

/// Those whom sessions of this fleet reach: nothing where a host is used without a fleet. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Agents {
    pub(super) models: Option<Models>,
    pub(super) tools: Option<ToolServers>,
    pub(super) post: Option<Arc<dyn Post>>,
}

impl Agents {
    /// Carries one operation out.
    pub(super) fn perform(&self, call: Call) -> BoxFuture<Outcome> {
        let op = call.request.op();
        let done = match op {
            Op::AgentLocalComplete | Op::AgentCloudComplete => self.models.as_ref().map(|models| models.perform(call)),
            Op::AgentCallMcp => self.tools.as_ref().map(|tools| tools.perform(call)),
            Op::AgentSendA2a => {
                let send = |post: &Arc<dyn Post>| Box::pin(a2a::send(Arc::clone(post), call)) as BoxFuture<Outcome>;
                self.post.as_ref().map(send)
            }
            _ => None,
        };
        done.unwrap_or_else(|| unsupported(op))
    }
}

fn unsupported(op: Op) -> BoxFuture<Outcome> {
    Box::pin(async move { Err(EffectError::unsupported(format!("{op} is not built into this fleet"))) })
}

impl std::fmt::Debug for Agents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agents")
            .field("models", &self.models)
            .field("post", &self.post.is_some())
            .finish_non_exhaustive()
    }
}
