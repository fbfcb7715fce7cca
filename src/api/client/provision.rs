//! The memory provider's routes.

use super::{Client, ClientError};
use crate::api::wire::SweepWanted;
use axum::{body::Bytes, http::Method};
use coalmine_actors::provisioner::view::SweepView;
use std::time::Duration;

impl Client {
    /// `POST /v1/memory-plugin`
    pub async fn memory_sweep(&self, wanted: &SweepWanted) -> Result<SweepView, ClientError> {
        self.act("/v1/memory-plugin", wanted, Duration::ZERO).await
    }

    /// `GET /v1/memory-plugin/{id}`, which answers when more than `known` peers are done, or after `wait`.
    pub async fn memory_sweep_follow(&self, id: u64, known: usize, wait: Duration) -> Result<SweepView, ClientError> {
        let target = format!("/v1/memory-plugin/{id}?known={known}&wait_ms={}", wait.as_millis());
        self.ask(Method::GET, &target, Bytes::new(), wait).await
    }

    /// `DELETE /v1/memory-plugin/{id}`
    pub async fn memory_sweep_cancel(&self, id: u64) -> Result<(), ClientError> {
        self.ask(Method::DELETE, &format!("/v1/memory-plugin/{id}"), Bytes::new(), Duration::ZERO).await
    }
}
