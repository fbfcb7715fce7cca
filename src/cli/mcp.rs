//! `coalmine mcp`: the fleet's tools for an agent, over stdin and stdout.

use super::{
    context::Context,
    failure::{Failure, Outcome},
};
use crate::{
    api::{client::Client, wire::ErrorBody},
    io::session_token,
    mcp::{MESSAGE_BYTES_MAX, Refusal, Server, ToolSet, Toolbox},
};
use rmcp::{
    ServiceExt,
    model::{CallToolResult, JsonObject, Tool},
    transport::async_rw::AsyncRwTransport,
};
use std::{io::ErrorKind, os::unix::net::UnixDatagram};

/// Said where the kernel forbids this process any Unix socket.
const WALLED: &str = "a peer in a sandbox makes no Unix sockets, so its agent has no tools of the fleet; `coalmine show NAME`, \
                      outside, says how it is held";

/// Offer the fleet's tools to an agent, by the Model Context Protocol on stdin and stdout
///
/// As in `claude mcp add coalmine -- coalmine mcp`. In a peer's session the caller is that peer, by the token in its
/// COALMINE_TOKEN; anywhere else it is the operator. The tools work as soon as a daemon answers, also one that is started
/// later or again; without one a call says so. Ends with stdin.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Offer the nine tools of the reference memory server in place of the fleet's own
    #[arg(long, value_name = "SERVER", value_parser = clap::builder::PossibleValuesParser::new(["server-memory"]))]
    compat: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let set = if args.compat.is_some() { ToolSet::ServerMemory } else { ToolSet::Fleet };
    let (stdin, stdout) = (tokio::io::stdin(), tokio::io::stdout());
    let transport = AsyncRwTransport::new_server(stdin, stdout).with_max_line_length(MESSAGE_BYTES_MAX);
    let server = match Server::new(Remote { context: context.clone(), set }, set).serve(transport).await {
        Ok(server) => server,
        // Whoever hangs up before anything was said wanted nothing.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => {
            let hint = "the first message must be the request `initialize`; give the command to an MCP client";
            return Err(Failure::usage(format!("stdin does not begin as MCP does: {error}"), hint));
        }
    };
    server.waiting().await.map(drop).map_err(|error| Failure::failed("serving stdin", error))
}

/// The tools at the daemon, asked anew with each call: which daemon that is may change meanwhile.
struct Remote {
    context: Context,
    set: ToolSet,
}

impl Toolbox for Remote {
    /// Without a daemon those that are there for everybody: a client asks only once, at its own start.
    async fn list(&self) -> Vec<Tool> {
        let tools = async { self.client()?.tools(self.set).await.map_err(told) };
        match tools.await {
            Ok(tools) => tools,
            Err(why) => {
                self.context.note(&format!("{}; the effects that are granted are not listed", why.message));
                self.set.rows().into_iter().map(|row| row.tool()).collect()
            }
        }
    }

    async fn call(&self, name: String, args: JsonObject) -> Result<CallToolResult, Refusal> {
        Ok(self.client()?.tool(self.set, &name, &args).await.map_err(told)?)
    }
}

impl Remote {
    fn client(&self) -> Result<Client, ErrorBody> {
        Ok(self.context.client().map_err(told)?.with_token(session_token::own()))
    }
}

/// What a failure says, and what walls have to do with it.
fn told(failure: impl Into<Failure>) -> ErrorBody {
    let mut body = failure.into().into_body();
    // Asked of the kernel itself: behind walls not even the way to the daemon's socket is known.
    if UnixDatagram::unbound().is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
        body.hint = WALLED.into();
    }
    body
}
