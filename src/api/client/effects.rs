//! The effects' route.

use super::{Client, ClientError, encoded, peer};
use crate::api::wire::Called;
use serde_json::Value;
use std::time::Duration;

impl Client {
    /// `POST /v1/peers/{name}/effects/{op}`
    pub async fn effect(&self, name: &str, op: &str, args: &Value, wait: Duration) -> Result<Called, ClientError> {
        let target = peer(name, &format!("/effects/{}?wait_ms={}", encoded(op), wait.as_millis()));
        self.act(&target, args, wait).await
    }
}
