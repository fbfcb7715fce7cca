//! The family of agents: others that answer, each in a file of its own.
//!
//! ```text
//! llm/     models, by the providers of the config
//! a2a.rs   messages to peers, by the mailroom
//! ```

pub mod a2a;
pub(super) mod llm;

use a2a::Post;
use coalmine_actors::{
    effects::{
        error::EffectError,
        op::Request,
        port::{Call, Outcome},
    },
    ports::BoxFuture,
};
use llm::Models;
use std::sync::Arc;

/// Those whom sessions of this fleet reach: nothing where a host is used without a fleet. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Agents {
    pub(super) models: Option<Models>,
    pub(super) post: Option<Arc<dyn Post>>,
}

impl Agents {
    /// Carries one operation out.
    pub(super) fn perform(&self, call: Call) -> BoxFuture<Outcome> {
        match (&call.request, &self.models, &self.post) {
            (Request::AgentLocalComplete { .. } | Request::AgentCloudComplete { .. }, Some(models), _) => {
                models.perform(call)
            }
            (Request::AgentSendA2a { .. }, _, Some(post)) => Box::pin(a2a::send(Arc::clone(post), call)),
            (request, ..) => {
                let error = EffectError::unsupported(format!("{} is not built into this fleet", request.op()));
                Box::pin(async move { Err(error) })
            }
        }
    }
}

impl std::fmt::Debug for Agents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agents").field("models", &self.models).field("post", &self.post.is_some()).finish()
    }
}
