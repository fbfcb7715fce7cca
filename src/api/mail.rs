//! `/v1/messages`: what is sent, how far it is, and the inbox of a peer.

use super::{
    Shared, closed,
    extract::{Body, Name, Params, Wait, token},
    wire::{ApiError, Envelope, MailPage},
};
use axum::{
    Router,
    extract::State,
    http::HeaderMap,
    routing::{get, post},
};
use coalmine_actors::{
    error::FleetError,
    mail::{MailQuery, MailView, MessageId, NewMessage, State as MailState},
    view::PeerView,
};
use serde::Deserialize;

type Answer<T> = Result<Envelope<T>, ApiError>;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/messages", get(list).post(send))
        .route("/v1/messages/{id}", get(show).delete(cancel))
        .route("/v1/messages/{id}/seen", post(seen))
        .route("/v1/peers/{name}/inbox", get(inbox))
        .route("/v1/peers/{name}/interrupt", post(interrupt))
        .route("/v1/peers/{name}/done", post(done))
}

fn answer<T>(result: Result<T, FleetError>) -> Answer<T> {
    result.map(Envelope::new).map_err(Into::into)
}

/// The `{id}` of a path.
fn id_of(text: &str) -> Result<MessageId, FleetError> {
    Ok(text.parse::<MessageId>()?)
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Until {
    Submitted,
    Seen,
}

/// `?until=`
#[derive(Deserialize)]
struct Following {
    until: Option<Until>,
}

/// `POST /v1/messages?until=&wait_ms=`; without `until` it answers as soon as the message is kept.
async fn send(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Params(Following { until }): Params<Following>,
    Params(wait): Params<Wait>,
    Body(new): Body<NewMessage>,
) -> Answer<MailView> {
    let (sender, session) = shared.fleet.sender(token(&headers))?;
    let sent = shared.fleet.mail().send(sender, session, new).await?;
    follow(shared, sent.message.id, until, wait, sent).await
}

/// `GET /v1/messages/{id}?until=&wait_ms=`
async fn show(
    State(shared): State<Shared>,
    Name(id): Name,
    Params(Following { until }): Params<Following>,
    Params(wait): Params<Wait>,
) -> Answer<MailView> {
    let now = shared.fleet.mail().get(id_of(&id)?).await?;
    follow(shared, now.message.id, until, wait, now).await
}

/// The message once it is what is waited for, or as it stands when the wait or the server ends.
async fn follow(shared: Shared, id: MessageId, until: Option<Until>, wait: Wait, now: MailView) -> Answer<MailView> {
    let Some(until) = until else { return Ok(Envelope::new(now)) };
    tokio::select! {
        view = shared.fleet.mail().follow(id, until == Until::Seen, wait.time()) => answer(view),
        () = closed(shared.closing) => Ok(Envelope::new(now)),
    }
}

/// `DELETE /v1/messages/{id}`: it is not delivered any more, where it still waits.
async fn cancel(State(shared): State<Shared>, Name(id): Name) -> Answer<MailView> {
    answer(shared.fleet.mail().cancel(id_of(&id)?).await)
}

/// `POST /v1/messages/{id}/seen`: its recipient has it.
async fn seen(State(shared): State<Shared>, headers: HeaderMap, Name(id): Name) -> Answer<MailView> {
    answer(shared.fleet.seen(token(&headers), id_of(&id)?).await)
}

/// `?to=&state=&before=&limit=`
#[derive(Deserialize)]
struct ListParams {
    to: Option<String>,
    state: Option<MailState>,
    before: Option<MessageId>,
    limit: Option<usize>,
}

/// `GET /v1/messages`
async fn list(State(shared): State<Shared>, Params(asked): Params<ListParams>) -> Answer<MailPage> {
    page(&shared, asked).await
}

/// `GET /v1/peers/{name}/inbox`
async fn inbox(State(shared): State<Shared>, Name(name): Name, Params(asked): Params<ListParams>) -> Answer<MailPage> {
    page(&shared, ListParams { to: Some(name), ..asked }).await
}

async fn page(shared: &Shared, asked: ListParams) -> Answer<MailPage> {
    let ListParams { to, state, before, limit } = asked;
    let to = match to {
        Some(name) => shared.fleet.show(&name)?.into_iter().map(|view| view.identity).collect(),
        None => Vec::new(),
    };
    let query = MailQuery { to, state, before, limit };
    let limit = query.limit();
    let messages = shared.fleet.mail().list(query).await?;
    let next = messages.last().filter(|_| messages.len() == limit).map(|last| last.message.id);
    Ok(Envelope::new(MailPage { messages, next }))
}

/// `POST /v1/peers/{name}/interrupt`
async fn interrupt(State(shared): State<Shared>, Name(name): Name) -> Answer<PeerView> {
    answer(shared.fleet.interrupt(&name).await)
}

/// `POST /v1/peers/{name}/done`: the task of its present life is done. With a token, by that very life.
async fn done(State(shared): State<Shared>, headers: HeaderMap, Name(name): Name) -> Answer<PeerView> {
    answer(shared.fleet.done(token(&headers), &name).await)
}
