//! `/v1/memory`: what can be asked of the memory.

use super::{
    Shared,
    extract::{Body, Name, Params},
    wire::{ApiError, Envelope, Exported, ImportedItem},
};
use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use coalmine_actors::{
    error::FleetError,
    memory::{
        Added, MemoryError,
        compact::{CompactOptions, Compacted},
        item::{Item, NewItem},
        query::{Hit, Page, Query},
        verify::{MemoryStats, Verified},
    },
};
use serde::Deserialize;

/// Hits of a search where nobody says.
const HITS_DEFAULT: usize = 20;

type Answer<T> = Result<Envelope<T>, ApiError>;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/memory/items", get(list).post(add))
        .route("/v1/memory/items/{id}", get(show).delete(forget))
        .route("/v1/memory/search", get(search))
        .route("/v1/memory/stats", get(stats))
        .route("/v1/memory/verify", get(verify))
        .route("/v1/memory/compact", post(compact))
        .route("/v1/memory/export", get(export))
        .route("/v1/memory/import", post(import))
}

fn answer<T>(result: Result<T, FleetError>) -> Answer<T> {
    result.map(Envelope::new).map_err(Into::into)
}

/// `?query=`: the query as JSON, whose lists a query string can not hold.
#[derive(Deserialize)]
struct Asked {
    query: Option<String>,
}

/// `GET /v1/memory/items?query=`
async fn list(State(shared): State<Shared>, Params(asked): Params<Asked>) -> Answer<Page> {
    let query = asked.query.map_or(Ok(Query::default()), |text| serde_json::from_str(&text));
    let query = query.map_err(|error| ApiError::BadQuery(error.to_string()))?;
    answer(shared.fleet.memory().list(query).await)
}

/// `POST /v1/memory/items`
async fn add(State(shared): State<Shared>, Body(item): Body<NewItem>) -> Answer<Added> {
    answer(shared.fleet.memory().add(item).await)
}

/// The `{id}` of a path.
fn id_of(text: &str) -> Result<u64, FleetError> {
    let unreadable = || MemoryError::Unreadable { what: "the id", text: text.chars().take(64).collect() };
    text.parse().map_err(|_| unreadable().into())
}

/// `GET /v1/memory/items/{id}`: two items, where a stranger gave the id out twice.
async fn show(State(shared): State<Shared>, Name(id): Name) -> Answer<Vec<Item>> {
    answer(shared.fleet.memory().get(id_of(&id)?).await)
}

/// `DELETE /v1/memory/items/{id}`: the id of the mark that it is forgotten.
async fn forget(State(shared): State<Shared>, Name(id): Name) -> Answer<Added> {
    answer(shared.fleet.memory().forget(id_of(&id)?).await)
}

/// `?words=&limit=`
#[derive(Deserialize)]
struct Words {
    words: String,
    limit: Option<usize>,
}

/// `GET /v1/memory/search?words=&limit=`
async fn search(State(shared): State<Shared>, Params(asked): Params<Words>) -> Answer<Vec<Hit>> {
    answer(shared.fleet.memory().search(&asked.words, asked.limit.unwrap_or(HITS_DEFAULT)).await)
}

/// `GET /v1/memory/stats`
async fn stats(State(shared): State<Shared>) -> Answer<MemoryStats> {
    answer(shared.fleet.memory().stats().await)
}

/// `GET /v1/memory/verify`
async fn verify(State(shared): State<Shared>) -> Answer<Verified> {
    answer(shared.fleet.memory().verify().await)
}

/// `POST /v1/memory/compact`
async fn compact(State(shared): State<Shared>, Body(options): Body<CompactOptions>) -> Answer<Compacted> {
    answer(shared.fleet.memory().compact(options).await)
}

/// `?after=`
#[derive(Deserialize)]
struct After {
    after: Option<u64>,
}

/// `GET /v1/memory/export?after=`
async fn export(State(shared): State<Shared>, Params(After { after }): Params<After>) -> Answer<Exported> {
    let exported = shared.fleet.memory().export(after.unwrap_or(0)).await;
    answer(exported.map(|(lines, next)| Exported { lines, next }))
}

/// `POST /v1/memory/import`: each item has an answer of its own, in their order.
async fn import(State(shared): State<Shared>, Body(items): Body<Vec<NewItem>>) -> Envelope<Vec<ImportedItem>> {
    let added = shared.fleet.memory().add_all(items).await;
    Envelope::new(added.into_iter().map(ImportedItem::from).collect())
}
