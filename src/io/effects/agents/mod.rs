//! The family of agents: others that answer, each in a file of its own.
//!
//! ```text
//! a2a.rs   messages to peers, by the mailroom
//! ```

pub mod a2a;

use a2a::Post;
use coalmine_actors::{
    effects::{
        error::EffectError,
        op::Request,
        port::{Call, Outcome},
    },
    ports::BoxFuture,
};
use std::sync::Arc;

/// Those whom sessions of this fleet reach. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Agents {
    /// Nothing where a host is used without a fleet.
    pub(super) post: Option<Arc<dyn Post>>,
}

impl Agents {
    /// Carries one operation out.
    pub(super) fn perform(&self, call: Call) -> BoxFuture<Outcome> {
        match (&call.request, &self.post) {
            (Request::AgentSendA2a { .. }, Some(post)) => Box::pin(a2a::send(Arc::clone(post), call)),
            (request, _) => {
                let error = EffectError::unsupported(format!("{} is not built into this fleet", request.op()));
                Box::pin(async move { Err(error) })
            }
        }
    }
}

impl std::fmt::Debug for Agents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Agents").field("post", &self.post.is_some()).finish()
    }
}
