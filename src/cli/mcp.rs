//! `coalmine mcp`: the fleet's tools for an agent, over stdin and stdout.

use super::{
    context::Context,
    failure::{Failure, Outcome},
};
use crate::{
    api::wire::ErrorBody,
    io::session_token,
    mcp::{MESSAGE_BYTES_MAX, Refusal, Server, ToolSet, Toolbox},
};
use rmcp::{
    ServiceExt,
    model::{CallToolResult, JsonObject, Tool},
    transport::async_rw::AsyncRwTransport,
};

/// Said where the daemon's socket can not even be asked for: walls around a peer keep it from every socket.
const WALLED: &str = "a peer in a sandbox can not reach the daemon: the walls forbid sockets; `coalmine doctor`, run outside, \
                      says how a peer is held";

/// Offer the fleet's tools to an agent, by the Model Context Protocol on stdin and stdout
///
/// As in `claude mcp add coalmine -- coalmine mcp`. In a peer's session the caller is that peer, by the token in its
/// COALMINE_TOKEN; anywhere else it is the operator. The tools work as soon as a daemon answers, also one that is started
/// later or again; without one a call says so. Ends with stdin.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
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
        let tools = async { Ok::<_, Failure>(self.client()?.tools(self.set).await?) };
        match tools.await {
            Ok(tools) => tools,
            Err(failure) => {
                self.context.note(&format!("{}; the effects that are granted are not listed", told(failure).message));
                self.set.rows().into_iter().map(|row| row.tool()).collect()
            }
        }
    }

    async fn call(&self, name: String, args: JsonObject) -> Result<CallToolResult, Refusal> {
        let call = async { Ok::<_, Failure>(self.client()?.tool(self.set, &name, &args).await?) };
        call.await.map_err(|failure| told(failure).into())
    }
}

impl Remote {
    fn client(&self) -> Outcome<crate::api::client::Client> {
        Ok(self.context.client()?.with_token(session_token::own()))
    }
}

/// What a failure says. What only walls refuse is said to be their doing.
fn told(failure: Failure) -> ErrorBody {
    match failure {
        Failure::Error(mut body) => {
            if body.message.contains("Operation not permitted") || body.message.contains("Permission denied") {
                body.hint = WALLED.into();
            }
            body
        }
        Failure::Quiet(code) => ErrorBody {
            code: "failed".into(),
            message: format!("failed with the exit code {code}"),
            hint: String::new(),
            retryable: false,
            exit_code: code,
        },
    }
}
