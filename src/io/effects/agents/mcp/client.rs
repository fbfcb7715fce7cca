//! A server that is up, as calls use it: has it this tool, what does the tool give, and is it still there?

use super::fault::Fault;
use coalmine_actors::{
    effects::{error::EffectError, output::Sandbox},
    journal::event::cut,
    registry::nearest::nearest,
};
use rmcp::{
    RoleClient,
    model::{
        CallToolRequestParams, CallToolResponse, ClientConfig, ClientRequest, Implementation, PaginatedRequestParams,
        PingRequest,
    },
    service::{Peer, ServiceError},
};
use serde_json::{Map, Value};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};

/// Pages of a server's list of tools that are read, and tools in all.
const PAGES_MAX: usize = 100;
const TOOLS_MAX: usize = 10_000;
/// Tools that are named to whoever asks for one that there is not, and how much of each name.
const SHOWN_MAX: usize = 8;
const SHOWN_BYTES_MAX: usize = 64;

/// One server that is up. Clones share it.
#[derive(Clone)]
pub(super) struct Client {
    peer: Peer<RoleClient>,
    /// The tools that it listed last. Held to look and to replace.
    tools: Arc<Mutex<BTreeSet<String>>>,
    /// How far its program is confined; nothing of one that is elsewhere.
    sandbox: Option<Sandbox>,
    fault: Fault,
    /// Told where it is to be given up.
    condemned: Arc<Notify>,
}

/// Why a call gave nothing.
pub(super) enum Failed {
    /// As this says.
    Said(EffectError),
    /// The server is no longer there: why, whoever attends it knows.
    Lost,
}

impl From<ServiceError> for Failed {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::McpError(error) => {
                Self::Said(EffectError::Tool { said: format!("{} (code {})", error.message, error.code.0) })
            }
            ServiceError::TransportClosed | ServiceError::TransportSend(_) | ServiceError::Cancelled { .. } => {
                Self::Lost
            }
            ServiceError::UnexpectedResponse => protocol("the tool server answers with something else than a result"),
            other => protocol(other.to_string()),
        }
    }
}

fn protocol(what: impl Into<String>) -> Failed {
    Failed::Said(EffectError::Protocol { what: what.into() })
}

/// Who we say that we are: we can do nothing for a server.
pub(super) fn introduction() -> ClientConfig {
    ClientConfig::new(Default::default(), Implementation::new("coalmine", env!("CARGO_PKG_VERSION")))
}

/// The first of them, and how many more there are.
fn some_of(tools: &BTreeSet<String>) -> String {
    let mut shown: Vec<_> = tools.iter().take(SHOWN_MAX).map(|name| cut(name.clone(), SHOWN_BYTES_MAX)).collect();
    match tools.len() - shown.len() {
        0 if shown.is_empty() => shown.push("no tools".into()),
        0 => {}
        more => shown.push(format!("{more} more")),
    }
    shown.join(", ")
}

impl Client {
    /// The server at the other end of `peer`. `condemned` is told where it is to be given up.
    pub(super) fn new(peer: Peer<RoleClient>, sandbox: Option<Sandbox>, fault: Fault, condemned: Arc<Notify>) -> Self {
        Self { peer, tools: Arc::default(), sandbox, fault, condemned }
    }

    /// How far its program is confined.
    pub(super) fn sandbox(&self) -> Option<Sandbox> {
        self.sandbox.clone()
    }

    /// Calls a tool. Dropped, the server is told that nobody waits for it any more.
    pub(super) async fn call(&self, tool: &str, arguments: Map<String, Value>) -> Result<CallToolResponse, Failed> {
        if !self.knows(tool) {
            self.list().await?;
        }
        if !self.knows(tool) {
            return Err(Failed::Said(EffectError::bad("tool", self.near(tool))));
        }
        let asked = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        Ok(self.peer.call_tool_once(asked).await?)
    }

    fn knows(&self, tool: &str) -> bool {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner).contains(tool)
    }

    fn near(&self, tool: &str) -> String {
        let tools = self.tools.lock().unwrap_or_else(PoisonError::into_inner);
        match nearest(tool, tools.iter().map(String::as_str)).first() {
            Some(near) => format!("the server has none of this name; did you mean {near:?}?"),
            None => format!("the server has none of this name; it has {}", some_of(&tools)),
        }
    }

    /// Reads the list of its tools, page by page.
    async fn list(&self) -> Result<(), Failed> {
        let (mut names, mut cursor) = (BTreeSet::new(), None);
        for _page in 0..PAGES_MAX {
            let page = self.peer.list_tools(Some(PaginatedRequestParams::default().with_cursor(cursor))).await;
            let page = page.map_err(|error| match error {
                ServiceError::McpError(error) => {
                    protocol(format!("the tool server does not list its tools: {}", error.message))
                }
                other => other.into(),
            })?;
            names.extend(page.tools.into_iter().map(|tool| tool.name.into_owned()));
            cursor = page.next_cursor;
            if cursor.is_none() && names.len() <= TOOLS_MAX {
                *self.tools.lock().unwrap_or_else(PoisonError::into_inner) = names;
                return Ok(());
            }
            if names.len() > TOOLS_MAX {
                break;
            }
        }
        Err(Failed::Said(EffectError::limit("the tool server's list of tools", TOOLS_MAX as u64)))
    }

    /// Looks whether a server that was late is still there at all, and has it given up where it is not: what it was told
    /// to cancel would hold up everything that follows.
    pub(super) fn watch(&self, longest: Duration) {
        let this = self.clone();
        tokio::spawn(async move {
            let ping = this.peer.send_request(ClientRequest::PingRequest(PingRequest::default()));
            // Any answer is one; one that is lost has ended, which others have noticed.
            if timeout(longest, ping).await.is_err() {
                let what = "the tool server was late, and does not answer any more".into();
                this.fault.tell(EffectError::Protocol { what });
                this.condemned.notify_one();
            }
        });
    }
}
