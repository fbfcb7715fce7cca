//! Speaks the protocol before a box of tools, over whatever transport.

use super::{answer::Refusal, set::ToolSet, toolbox::Toolbox};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, Implementation, ListToolsResult, PaginatedRequestParams,
        ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
};

/// See the module.
pub(crate) struct Server<T> {
    toolbox: T,
    set: ToolSet,
}

impl<T: Toolbox> Server<T> {
    /// One before these tools.
    pub(crate) fn new(toolbox: T, set: ToolSet) -> Self {
        Self { toolbox, set }
    }
}

impl<T: Toolbox> ServerHandler for Server<T> {
    fn get_info(&self) -> ServerConfig {
        let program = Implementation::new("coalmine", env!("CARGO_PKG_VERSION")).with_title("Coalmine");
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(program)
            .with_instructions(self.set.instructions())
    }

    /// All at once: what a policy grants are some dozen at most.
    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.toolbox.list().await))
    }

    /// A client that calls it off has it dropped, and with it what it waits for.
    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let call = self.toolbox.call(request.name.into_owned(), request.arguments.unwrap_or_default());
        let result = tokio::select! {
            result = call => result,
            () = context.ct.cancelled() => Err(Refusal::new("cancelled", "the call was called off", "")),
        };
        Ok(result.unwrap_or_else(Refusal::into_result).into())
    }
}
