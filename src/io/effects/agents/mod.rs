//! The family of others that are asked: models.
//!
//! ```text
//! llm/    models, by the providers of the config
//! ```

pub(super) mod llm;

use coalmine_actors::{
    effects::{
        EffectError,
        op::Op,
        port::{Call, Outcome},
    },
    ports::BoxFuture,
};
use llm::Models;

/// Whom a fleet asks.
#[derive(Debug, Clone)]
pub(super) struct Agents {
    pub(super) models: Models,
}

impl Agents {
    pub(super) fn perform(&self, call: Call) -> BoxFuture<Outcome> {
        match call.request.op() {
            Op::AgentLocalComplete | Op::AgentCloudComplete => self.models.perform(call),
            op => Box::pin(async move { Err(EffectError::unsupported(format!("{op} is not built into this fleet"))) }),
        }
    }
}
