//! The attachments' routes.

use super::{ANSWER_TIME_MAX, Client, ClientError, Envelope, broken, collect, encoded, refused, within};
use crate::api::{
    WAIT_TIME_MAX,
    wire::{Adopted, Adopting, Committing, Released, Releasing, SweepAsked},
};
use axum::{
    body::{Body, Bytes},
    http::{Method, Request, StatusCode, header},
};
use coalmine_actors::attachments::{
    AttachmentId, AttachmentRef, CreateMeta, Meta, Session, SweepReport, Verified, store::Page,
};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use std::time::Duration;
use tokio_stream::Stream;

/// An attachment as it comes. Dropping it hangs up.
#[derive(Debug)]
pub struct Download {
    body: Incoming,
    left: u64,
}

impl Download {
    /// Bytes that are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next piece; nothing once all of it has come.
    ///
    /// # Errors
    /// It was cut short: what came must not be used.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            match self.body.frame().await {
                None if self.left == 0 => return Ok(None),
                None | Some(Err(_)) => return Err(ClientError::HungUp),
                Some(Ok(frame)) => {
                    let Ok(piece) = frame.into_data() else { continue };
                    self.left = self.left.saturating_sub(piece.len() as u64);
                    return Ok(Some(piece));
                }
            }
        }
    }
}

impl Client {
    /// `PUT /v1/attachments`, with `byte_len` where it is known.
    pub async fn attachment_put<S>(
        &self,
        session: Option<&Session>,
        create: &CreateMeta,
        byte_len: Option<u64>,
        pieces: S,
    ) -> Result<AttachmentRef, ClientError>
    where
        S: Stream<Item = std::io::Result<Bytes>> + Send + 'static,
    {
        let mut target = format!("/v1/attachments?wait_ms={}", WAIT_TIME_MAX.as_millis());
        let sizes = [("width", create.width), ("height", create.height)];
        let sizes = sizes.into_iter().filter_map(|(key, size)| Some((key, size?.to_string())));
        let texts = [("label", create.label.clone()), ("session", session.map(ToString::to_string))];
        for (key, value) in texts.into_iter().filter_map(|(key, text)| Some((key, text?))).chain(sizes) {
            target.push_str(&format!("&{key}={}", encoded(&value)));
        }
        let mut request = Request::builder().method(Method::PUT).uri(target).header(header::HOST, "coalmine");
        if let Some(media_type) = &create.media_type {
            request = request.header(header::CONTENT_TYPE, media_type.mime());
        }
        if let Some(byte_len) = byte_len {
            request = request.header(header::CONTENT_LENGTH, byte_len);
        }
        let request = request.body(Body::from_stream(pieces)).map_err(broken)?;
        let put = async {
            let answer = self.send_request(request).await?;
            if answer.status() != StatusCode::OK {
                return Err(refused(answer).await);
            }
            let bytes = collect(answer.into_body()).await?;
            serde_json::from_slice(&bytes).map(|envelope: Envelope<_>| envelope.data).map_err(broken)
        };
        within(ANSWER_TIME_MAX + WAIT_TIME_MAX, put).await
    }

    /// `GET /v1/attachments/{id}`
    pub async fn attachment_get(&self, id: AttachmentId) -> Result<Download, ClientError> {
        let target = format!("/v1/attachments/{id}");
        let answer = self.while_it_lives(self.send(Method::GET, &target, Bytes::new()));
        let answer = within(ANSWER_TIME_MAX, answer).await?;
        if answer.status() != StatusCode::OK {
            return Err(refused(answer).await);
        }
        let length = answer.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let left = length.ok_or_else(|| broken("an attachment without a length"))?;
        Ok(Download { body: answer.into_body(), left })
    }

    /// `GET /v1/attachments`
    pub async fn attachment_list(
        &self,
        session: Option<&Session>,
        after: Option<AttachmentId>,
        limit: usize,
    ) -> Result<Page, ClientError> {
        let session = session.map_or(String::new(), |session| format!("&session={}", encoded(session.as_str())));
        let after = after.map_or(String::new(), |after| format!("&after={after}"));
        self.get(&format!("/v1/attachments?limit={limit}{session}{after}")).await
    }

    /// `GET /v1/attachments/{id}/meta`
    pub async fn attachment_stat(&self, id: AttachmentId) -> Result<Meta, ClientError> {
        self.get(&format!("/v1/attachments/{id}/meta")).await
    }

    /// `DELETE /v1/attachments/{id}`
    pub async fn attachment_forget(
        &self,
        id: AttachmentId,
        session: Option<&Session>,
    ) -> Result<Released, ClientError> {
        let session = session.map_or(String::new(), |session| format!("?session={}", encoded(session.as_str())));
        self.ask(Method::DELETE, &format!("/v1/attachments/{id}{session}"), Bytes::new(), Duration::ZERO).await
    }

    /// `POST /v1/attachments/commit`
    pub async fn attachment_commit(&self, commit: &Committing) -> Result<(), ClientError> {
        self.act("/v1/attachments/commit", commit, Duration::ZERO).await
    }

    /// `POST /v1/attachments/release`
    pub async fn attachment_release(&self, release: &Releasing) -> Result<Released, ClientError> {
        self.act("/v1/attachments/release", release, Duration::ZERO).await
    }

    /// `POST /v1/attachments/adopt`
    pub async fn attachment_adopt(&self, adopt: &Adopting) -> Result<Adopted, ClientError> {
        self.act("/v1/attachments/adopt", adopt, Duration::ZERO).await
    }

    /// `GET /v1/attachments/verify`
    pub async fn attachment_verify(&self) -> Result<Verified, ClientError> {
        let target = format!("/v1/attachments/verify?wait_ms={}", WAIT_TIME_MAX.as_millis());
        self.ask(Method::GET, &target, Bytes::new(), WAIT_TIME_MAX).await
    }

    /// `POST /v1/attachments/gc`
    pub async fn attachment_sweep(&self, asked: SweepAsked) -> Result<SweepReport, ClientError> {
        let target = format!("/v1/attachments/gc?wait_ms={}", WAIT_TIME_MAX.as_millis());
        self.act(&target, &asked, WAIT_TIME_MAX).await
    }
}
