//! The memory's routes.

use super::{Client, ClientError, encoded};
use crate::api::wire::{Exported, ImportedItem};
use axum::{body::Bytes, http::Method};
use coalmine_actors::memory::{
    Added,
    compact::{CompactOptions, Compacted},
    item::{Item, NewItem},
    query::{Hit, Page, Query},
    verify::{MemoryStats, Verified},
};
use std::time::Duration;

impl Client {
    /// `POST /v1/memory/items`
    pub async fn memory_add(&self, item: &NewItem) -> Result<Added, ClientError> {
        self.act("/v1/memory/items", item, Duration::ZERO).await
    }

    /// `DELETE /v1/memory/items/{id}`
    pub async fn memory_forget(&self, id: u64) -> Result<Added, ClientError> {
        self.ask(Method::DELETE, &format!("/v1/memory/items/{id}"), Bytes::new(), Duration::ZERO).await
    }

    /// `GET /v1/memory/items/{id}`
    pub async fn memory_get(&self, id: u64) -> Result<Vec<Item>, ClientError> {
        self.get(&format!("/v1/memory/items/{id}")).await
    }

    /// `GET /v1/memory/items`
    pub async fn memory_list(&self, query: &Query) -> Result<Page, ClientError> {
        let query = serde_json::to_string(query).map_err(super::broken)?;
        self.get(&format!("/v1/memory/items?query={}", encoded(&query))).await
    }

    /// `GET /v1/memory/search`
    pub async fn memory_search(&self, words: &str, limit: usize) -> Result<Vec<Hit>, ClientError> {
        self.get(&format!("/v1/memory/search?limit={limit}&words={}", encoded(words))).await
    }

    /// `GET /v1/memory/stats`
    pub async fn memory_stats(&self) -> Result<MemoryStats, ClientError> {
        self.get("/v1/memory/stats").await
    }

    /// `GET /v1/memory/verify`
    pub async fn memory_verify(&self) -> Result<Verified, ClientError> {
        self.get("/v1/memory/verify").await
    }

    /// `POST /v1/memory/compact`
    pub async fn memory_compact(&self, options: CompactOptions) -> Result<Compacted, ClientError> {
        self.act("/v1/memory/compact", &options, Duration::ZERO).await
    }

    /// `GET /v1/memory/export`
    pub async fn memory_export(&self, after: u64) -> Result<Exported, ClientError> {
        self.get(&format!("/v1/memory/export?after={after}")).await
    }

    /// `POST /v1/memory/import`; all of it must fit one request.
    pub async fn memory_import(&self, items: &[NewItem]) -> Result<Vec<ImportedItem>, ClientError> {
        self.act("/v1/memory/import", &items, Duration::ZERO).await
    }
}
