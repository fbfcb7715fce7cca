//! The tools' routes.

use super::{Client, ClientError, encoded};
use crate::{api::WAIT_TIME_MAX, mcp::ToolSet};
use rmcp::model::{CallToolResult, JsonObject, Tool};

impl Client {
    /// `GET /v1/tools`
    pub async fn tools(&self, set: ToolSet) -> Result<Vec<Tool>, ClientError> {
        self.get(&format!("/v1/tools?set={}", set.as_str())).await
    }

    /// `POST /v1/tools/{name}`; dropped, the call is called off.
    pub async fn tool(&self, set: ToolSet, name: &str, args: &JsonObject) -> Result<CallToolResult, ClientError> {
        let (name, set, wait) = (encoded(name), set.as_str(), WAIT_TIME_MAX);
        self.act(&format!("/v1/tools/{name}?set={set}&wait_ms={}", wait.as_millis()), args, wait).await
    }
}
