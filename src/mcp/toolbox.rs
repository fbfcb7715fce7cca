//! Where tools are: in this process with the fleet, or at its daemon.

use super::{
    answer::{Given, Refusal},
    arguments::Arguments,
    set::ToolSet,
    tool::Row,
    tools::{self, FleetTool, GraphTool},
};
use crate::{Caller, FleetHandle};
use coalmine_actors::registry::nearest::nearest;
use rmcp::model::{JsonObject, Tool};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Tools that can be listed and called.
pub(crate) trait Toolbox: Send + Sync + 'static {
    /// Those that the caller may call now.
    fn list(&self) -> impl Future<Output = Vec<Tool>> + Send;
    /// Calls one. Dropped, what it waits for is called off.
    fn call(&self, name: String, args: JsonObject) -> impl Future<Output = Given> + Send;
}

/// The tools of a fleet, for one caller.
#[derive(Clone)]
pub(crate) struct FleetTools {
    pub(super) fleet: FleetHandle,
    pub(super) caller: Caller,
    pub(super) set: ToolSet,
    /// Held by whoever changes the graph, of all callers: what is there already is looked up first.
    pub(super) graph: Arc<Mutex<()>>,
}

impl FleetTools {
    /// The tools that this caller has. Whoever makes several gives them the same `graph`.
    pub(crate) fn new(fleet: FleetHandle, caller: Caller, set: ToolSet, graph: Arc<Mutex<()>>) -> Self {
        Self { fleet, caller, set, graph }
    }

    async fn unknown(&self, name: &str) -> Refusal {
        let shown: String = name.chars().take(64).collect();
        let tools = self.list().await;
        let near = nearest(name, tools.iter().map(|tool| tool.name.as_ref()));
        let hint = match near.first() {
            Some(near) => format!("did you mean {near}?"),
            None => {
                "tools/list shows those that there are; effects are there only as far as the policy grants them".into()
            }
        };
        Refusal::new("unknown-tool", format!("there is no tool {shown:?}"), hint)
    }
}

impl Toolbox for FleetTools {
    async fn list(&self) -> Vec<Tool> {
        let mut tools: Vec<_> = self.set.rows().into_iter().map(Row::tool).collect();
        if self.set == ToolSet::Fleet {
            // A policy that can not be read grants nothing; whoever calls something is told why.
            tools.extend(tools::effects::granted(self).await.unwrap_or_default());
        }
        tools
    }

    async fn call(&self, name: String, args: JsonObject) -> Given {
        match self.set {
            ToolSet::Fleet => match FleetTool::ALL.iter().find(|tool| tool.row().name == name) {
                Some(tool) => tools::call(self, *tool, Arguments::read(tool.row().args, args)?).await,
                None => match tools::effects::named(&name).filter(|_| self.caller.peer.is_some()) {
                    Some(op) => tools::effects::call(self, op, args).await,
                    None => Err(self.unknown(&name).await),
                },
            },
            ToolSet::ServerMemory => match GraphTool::ALL.iter().find(|tool| tool.row().name == name) {
                Some(tool) => tools::graph::call(self, *tool, Arguments::read(tool.row().args, args)?).await,
                None => Err(self.unknown(&name).await),
            },
        }
    }
}
