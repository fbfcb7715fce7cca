//! Tool servers of every kind, as sessions use them: decided by a policy, and carried out by its plan.

mod hostile;
mod lives;
mod script;
mod site;

use super::{Times, ToolServers};
use crate::io::{
    effects::{OsChance, grants::Grants, net::Net, proc::Programs},
    held::{self, Held},
    life_mark,
};
use coalmine_actors::{
    effects::{
        EffectError, Op, Policy, Request, decide,
        output::Done,
        plan::Decision,
        policy::{McpGrant, McpServer},
        port::{Call, Opened, Seat, Sink},
        scope::Scope,
    },
    names::Identity,
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::Instant;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// The tool servers of one fleet, and a policy that grants some.
struct Fair {
    /// Its name is in the marks of all that is started: those of another test are others.
    dir: TempDir,
    tools: ToolServers,
    policy: Policy,
    sessions: AtomicU64,
}

/// One session. Dropped, it ends.
struct Session<'f> {
    fair: &'f Fair,
    seat: Arc<Seat>,
    opened: Opened,
    log: Arc<Lines>,
}

#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Sink for Lines {
    fn line(&self, line: &str) -> Result<(), EffectError> {
        self.0.lock().unwrap().push(line.into());
        Ok(())
    }
}

impl Fair {
    /// With the scripted server `it`, which begins like this.
    fn of(beginning: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let name = dir.path().file_name().unwrap().to_str().unwrap().to_owned();
        let mut tools = ToolServers::new(Programs::new(name), Net::default());
        tools.times = Times { start: LONG, idle: LONG, ping: LONG };
        let mut fair = Self { dir, tools, policy: Policy::default(), sessions: AtomicU64::new(0) };
        fair.grant("it", &["/bin/sh", "-c", script::TEXT, "it", beginning]);
        fair
    }

    fn new() -> Self {
        Self::of("")
    }

    fn grant(&mut self, name: &str, command: &[&str]) {
        let args = command[1..].iter().map(|arg| (*arg).to_owned()).collect();
        let at = McpServer::Command { path: command[0].into(), args, env: BTreeMap::new() };
        self.policy.allow.insert(format!("mcp:{name}").parse().unwrap());
        self.policy.mcp.insert(name.into(), McpGrant { at, tools: Scope::Any, timeout: LONG });
    }

    /// Gives calls of `it` so long.
    fn patience(mut self, timeout: Duration) -> Self {
        self.policy.mcp.get_mut("it").unwrap().timeout = timeout;
        self
    }

    fn session(&self) -> Session<'_> {
        let peer = "shell-bob".parse::<Identity>().unwrap();
        let number = self.sessions.fetch_add(1, Ordering::Relaxed);
        let log = Arc::new(Lines::default());
        let seat = Seat::new(peer, number, Arc::new(OsChance)).with_log(Arc::clone(&log) as _);
        Session { fair: self, seat: Arc::new(seat), opened: Arc::new(Grants::open(&self.policy)), log }
    }

    /// All that bears a mark of this fair.
    fn held(&self) -> Vec<Held> {
        let prefix = format!("{}-", self.dir.path().file_name().unwrap().to_str().unwrap());
        let mut buffer = Vec::new();
        held::find(|pid| life_mark::begins(pid, &prefix, &mut buffer))
    }

    fn family(&self) -> Vec<i32> {
        self.held().iter().map(|held| held.pid).collect()
    }

    /// Kills all servers, as somebody else might.
    fn kill(&self) {
        held::signal(&self.held(), Signal::KILL);
    }

    async fn until_nothing_is_left(&self) {
        until("nothing is left", || self.family().is_empty()).await;
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < deadline, "never so: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

impl Session<'_> {
    async fn done(&self, server: &str, tool: &str, arguments: Value) -> Result<Done, EffectError> {
        let args = json!({ "server": server, "tool": tool, "arguments": arguments });
        let request = Request::read(Op::AgentCallMcp, args)?;
        let policy = &self.fair.policy;
        let plan = match decide(policy, &request) {
            Decision::Allow(plan, _) => plan,
            Decision::Deny(rule) => return Err(EffectError::Denied { rule }),
        };
        let call = Call {
            seat: Arc::clone(&self.seat),
            policy: Arc::new(policy.clone()),
            opened: Arc::clone(&self.opened),
            request,
            plan,
            time_left: None,
        };
        self.fair.tools.perform(call).await
    }

    async fn call(&self, tool: &str) -> Result<Value, EffectError> {
        Ok(self.done("it", tool, json!({})).await?.output.into_json())
    }

    /// What `who` gives: the server's process and how many calls it has had.
    async fn who(&self) -> (i64, i64) {
        let who = self.call("who").await.unwrap();
        (who["pid"].as_i64().unwrap(), who["calls"].as_i64().unwrap())
    }

    fn logged(&self, part: &str) -> usize {
        self.log.0.lock().unwrap().iter().filter(|line| line.contains(part)).count()
    }
}

fn text_of(content: &Value) -> &str {
    content[0]["text"].as_str().unwrap()
}
