//! `/v1/attachments`: bytes come and go as streams, records as JSON.

use super::{
    Shared, closed,
    extract::{Body as JsonBody, Name, Params},
    range,
    wire::{Adopted, Adopting, ApiError, Committing, Envelope, Released, Releasing, SweepAsked},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use coalmine_actors::{
    attachments::{
        AttachmentId, AttachmentRef, AttachmentStore, CreateMeta, Meta, Owner, Session, SweepOptions, SweepReport,
        Verified,
        change::Scope,
        store::{PAGE_MAX, Page, Reading},
    },
    error::FleetError,
};
use serde::Deserialize;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio_stream::{Stream, StreamExt};

/// How long a sender that was refused may go on sending.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(2);

type Answer<T> = Result<Envelope<T>, ApiError>;

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/attachments", get(list).put(put))
        .route("/v1/attachments/{id}", get(read).delete(forget))
        .route("/v1/attachments/{id}/meta", get(stat))
        .route("/v1/attachments/commit", post(commit))
        .route("/v1/attachments/release", post(release))
        .route("/v1/attachments/adopt", post(adopt))
        .route("/v1/attachments/verify", get(verify))
        .route("/v1/attachments/gc", post(sweep))
}

fn answer<T>(result: Result<T, FleetError>) -> Answer<T> {
    result.map(Envelope::new).map_err(Into::into)
}

/// The `{id}` of a path.
fn id_of(text: &str) -> Result<AttachmentId, FleetError> {
    Ok(text.parse::<AttachmentId>()?)
}

/// Whose, and what is said of the bytes.
#[derive(Deserialize)]
struct PutParams {
    session: Option<Session>,
    owner: Option<Owner>,
    label: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    /// `false`: only an intent, to be committed later.
    commit: Option<bool>,
}

/// `PUT /v1/attachments`: the body is the attachment.
async fn put(
    State(shared): State<Shared>,
    Params(asked): Params<PutParams>,
    request: Request,
) -> Answer<AttachmentRef> {
    let media_type = declared(request.headers());
    let announced = length_of(request.headers());
    let session = asked.session.unwrap_or_else(Session::operator);
    let store = shared.fleet.attachments().session(session, asked.owner.unwrap_or_else(Owner::whole));
    let PutParams { label, width, height, .. } = asked;
    let mut pieces = request.into_body().into_data_stream();
    let stored = async {
        let mut upload = store.upload(announced, CreateMeta { media_type: media_type?, width, height, label }).await?;
        while let Some(piece) = pieces.next().await {
            upload.write(piece.map_err(|_hung_up| ApiError::BodyCut)?).await?;
        }
        Ok::<_, ApiError>(upload.finish().await?)
    };
    let put = match stored.await {
        Ok(put) => put,
        Err(refusal) => {
            drain(pieces).await;
            return Err(refusal);
        }
    };
    if asked.commit != Some(false) {
        store.commit(vec![put.id]).await?;
    }
    Ok(Envelope::new(put))
}

/// Takes the rest of a body that is refused, and keeps nothing of it: whoever is still sending reads no answer, and a
/// connection that is closed on him takes the answer away.
async fn drain(mut rest: impl Stream + Unpin) {
    let all = async { while rest.next().await.is_some() {} };
    let _too_slow = tokio::time::timeout(DRAIN_TIME_MAX, all).await;
}

fn length_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What the head says that the bytes are; what clients say of their own accord says nothing.
fn declared(headers: &HeaderMap) -> Result<Option<coalmine_actors::attachments::MediaType>, FleetError> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let meant = said.filter(|said| !matches!(*said, "application/octet-stream" | "application/x-www-form-urlencoded"));
    Ok(meant.map(str::parse).transpose()?)
}

/// `?session=&after=&limit=`
#[derive(Deserialize)]
struct ListParams {
    session: Option<Session>,
    after: Option<AttachmentId>,
    limit: Option<usize>,
}

/// `GET /v1/attachments`
async fn list(State(shared): State<Shared>, Params(asked): Params<ListParams>) -> Answer<Page> {
    let ListParams { session, after, limit } = asked;
    answer(shared.fleet.attachments().list(session, after, limit.unwrap_or(PAGE_MAX)).await)
}

/// `GET /v1/attachments/{id}/meta`
async fn stat(State(shared): State<Shared>, Name(id): Name) -> Answer<Meta> {
    answer(shared.fleet.attachments().stat(id_of(&id)?).await)
}

/// `GET /v1/attachments/{id}`, with `Range` a part of it. An answer that is cut short is damaged: its last bytes are
/// sent only once the whole was found to be good.
async fn read(State(shared): State<Shared>, Name(id): Name, headers: HeaderMap) -> Result<Response, ApiError> {
    let id = id_of(&id)?;
    let attachments = shared.fleet.attachments();
    let etag = format!("\"{id}\"");
    let range = match headers.contains_key(header::RANGE) {
        true => range::wanted(&headers, &etag, attachments.stat(id).await?.byte_len).map_err(FleetError::from)?,
        false => None,
    };
    let mut reading = attachments.open(id, range).await?;
    // What fails at once is refused in words.
    let first = reading.next().await.transpose()?;
    let (meta, part) = (reading.meta.clone(), reading.range);
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let stopped = Box::pin(closed(shared.closing.clone()));
    let mut response = (status, Body::from_stream(Pieces { first, reading, stopped })).into_response();
    let head = response.headers_mut();
    let text = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    head.insert(header::CONTENT_TYPE, text(meta.media_type.mime().to_owned()));
    head.insert(header::CONTENT_LENGTH, text((part.end - part.start).to_string()));
    head.insert(header::ETAG, text(etag));
    head.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // An attachment is whatever somebody put there: nothing of it is to run in a browser.
    head.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if range.is_some() {
        let last = part.end.saturating_sub(1);
        head.insert(header::CONTENT_RANGE, text(format!("bytes {}-{last}/{}", part.start, meta.byte_len)));
    }
    Ok(response)
}

/// A body, until it ends, fails, or the server stops.
struct Pieces<S> {
    first: Option<Bytes>,
    reading: Reading,
    stopped: Pin<Box<S>>,
}

impl<S: Future<Output = ()>> Stream for Pieces<S> {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if self.stopped.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(io::Error::other("the server stops"))));
        }
        let next = self.reading.poll_next(context);
        next.map(|item| item.map(|piece| piece.map_err(|error| io::Error::other(error.chain()))))
    }
}

/// `?session=`
#[derive(Deserialize)]
struct OfSession {
    session: Option<Session>,
}

/// `DELETE /v1/attachments/{id}`: the references to it end, of one session or of all. The bytes go with the next sweep.
async fn forget(
    State(shared): State<Shared>,
    Name(id): Name,
    Params(OfSession { session }): Params<OfSession>,
) -> Answer<Released> {
    answer(shared.fleet.attachments().forget(id_of(&id)?, session).await.map(|released| Released { released }))
}

/// `POST /v1/attachments/commit`
async fn commit(State(shared): State<Shared>, JsonBody(asked): JsonBody<Committing>) -> Answer<()> {
    let Committing { session, owner, ids } = asked;
    answer(shared.fleet.attachments().commit(session, owner.unwrap_or_else(Owner::whole), ids).await)
}

/// `POST /v1/attachments/release`
async fn release(State(shared): State<Shared>, JsonBody(asked): JsonBody<Releasing>) -> Answer<Released> {
    let Releasing { session, owner } = asked;
    let scope = match owner {
        Some(owner) => Scope::Owner(session, owner),
        None => Scope::Session(session),
    };
    answer(shared.fleet.attachments().release(scope).await.map(|released| Released { released }))
}

/// `POST /v1/attachments/adopt`
async fn adopt(State(shared): State<Shared>, JsonBody(asked): JsonBody<Adopting>) -> Answer<Adopted> {
    let Adopting { parent, child } = asked;
    answer(shared.fleet.attachments().adopt(parent, child).await.map(|adopted| Adopted { adopted }))
}

/// `GET /v1/attachments/verify`
async fn verify(State(shared): State<Shared>) -> Answer<Verified> {
    answer(shared.fleet.attachments().verify().await)
}

/// `POST /v1/attachments/gc`
async fn sweep(State(shared): State<Shared>, JsonBody(asked): JsonBody<SweepAsked>) -> Answer<SweepReport> {
    let SweepAsked { grace_ms, dry_run } = asked;
    let attachments = shared.fleet.attachments();
    let grace = grace_ms.map_or(attachments.grace(), Duration::from_millis);
    answer(attachments.sweep(SweepOptions { grace, dry_run }).await)
}
