//! Tool servers, which speak the Model Context Protocol: programs on their stdin and stdout, others by an url. A session's
//! first call starts one, and all that follow share it.
//!
//! ```text
//! call ─▶ pool.rs: the session's berth of this name ─▶ berth.rs: up? ─▶ client.rs: has it this tool? call ─▶ answer.rs
//!                            │ none, over, or of an older policy
//!                            ▼
//!                       attend.rs: start ─▶ initialize ─▶ up ─▶ over: stdin closed, TERM, KILL, the reason told
//!                            │ stdout, stdin                          ▲ idle, its session ended, it ended, a fault
//!                            ▼                                        │
//!      site.rs: POST ─┬─ wire.rs: lines ◀─▶ messages ─▶ replies.rs: what it asks is answered here, or refused
//!      events.rs ◀────┘      │ what is no message
//!                            ▼
//!                       notes.rs: the session's log, with all of stderr
//! ```

mod answer;
mod attend;
mod berth;
mod client;
mod events;
mod fault;
mod notes;
mod pool;
mod replies;
mod site;
#[cfg(test)]
mod tests;
mod wire;

use crate::io::effects::{net::Net, proc::Programs};
use attend::{Launch, Server, Way};
use client::Failed;
use coalmine_actors::{
    effects::{
        error::EffectError,
        op::Request,
        plan::{McpPlan, Plan},
        policy::McpServer,
        port::{Call, Opened, Outcome, Sink},
    },
    ports::BoxFuture,
};
use pool::Pool;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

/// How long a server takes at most until it is known why it ended: it is ended with all that it started before.
const END_TIME_MAX: Duration = Duration::from_secs(15);

/// How long things may take.
#[derive(Debug, Clone, Copy)]
struct Times {
    /// From a server's start until it answers `initialize`.
    start: Duration,
    /// Until a server that nobody calls is ended.
    idle: Duration,
    /// Until a server that was late answers a ping; it is ended if it does not.
    ping: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self { start: Duration::from_secs(60), idle: Duration::from_secs(300), ping: Duration::from_secs(5) }
    }
}

/// The tool servers of this fleet. Clones share them.
#[derive(Debug, Clone)]
pub(in crate::io::effects) struct ToolServers {
    programs: Programs,
    net: Net,
    pool: Pool,
    times: Times,
}

impl ToolServers {
    /// Servers that are started by `programs`, or reached through `net`.
    pub(in crate::io::effects) fn new(programs: Programs, net: Net) -> Self {
        Self { programs, net, pool: Pool::default(), times: Times::default() }
    }

    /// Calls a tool. Dropped, the call is cancelled at its server, which goes on.
    pub(super) fn perform(&self, call: Call) -> BoxFuture<Outcome> {
        let this = self.clone();
        Box::pin(async move { this.call(call).await })
    }

    async fn call(&self, call: Call) -> Outcome {
        let Call { seat, opened, request, plan, .. } = call;
        let (Request::AgentCallMcp { tool, arguments, .. }, Plan::Mcp(plan)) = (request, plan) else {
            return Err(EffectError::Internal("a tool by another plan".into()));
        };
        let deadline = Instant::now() + plan.grant.timeout;
        let server = self.server(*plan, &opened, seat.log())?;
        let used = self.pool.enter(&seat, &opened, server, self.times)?;
        let late = |phase| move |_elapsed| EffectError::Timeout { phase };
        let client = timeout_at(deadline, used.client()).await.map_err(late("start"))??;
        match timeout_at(deadline, client.call(&tool.0, arguments.0)).await {
            Ok(Ok(given)) => answer::done(given, client.sandbox()),
            Ok(Err(Failed::Said(error))) => Err(error),
            // Why is known in a moment, and it is not the call's deadline that it has to keep.
            Ok(Err(Failed::Lost)) => Err(timeout(END_TIME_MAX, used.end()).await.unwrap_or_else(late("end"))),
            Err(elapsed) => {
                client.watch(self.times.ping);
                Err(late("tool")(elapsed))
            }
        }
    }

    fn server(&self, plan: McpPlan, opened: &Opened, log: Option<Arc<dyn Sink>>) -> Result<Server, EffectError> {
        let McpPlan { name, grant } = plan;
        let way = match grant.at {
            McpServer::Command { path, args, env } => {
                Way::Program(Launch { path, args, env, opened: Arc::clone(opened), programs: self.programs.clone() })
            }
            McpServer::Url(url) => {
                let target = url.parse().map_err(|why| EffectError::Internal(format!("a policy's url: {why}")))?;
                Way::Site { net: self.net.clone(), target, longest: grant.timeout }
            }
        };
        Ok(Server { name, way, log })
    }
}
