//! The mailroom's routes.

use super::{Client, ClientError, encoded, peer};
use crate::api::wire::MailPage;
use axum::{body::Bytes, http::Method};
use coalmine_actors::{
    mail::{MailView, MessageId, NewMessage, State},
    view::PeerView,
};
use std::time::Duration;

/// What is waited for, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Follow {
    /// Until the recipient says that it has it; else until its program took it.
    pub seen: bool,
    /// Longest wait.
    pub wait: Duration,
}

impl Follow {
    fn query(follow: Option<Self>) -> String {
        follow.map_or(String::new(), |Self { seen, wait }| {
            format!("?until={}&wait_ms={}", if seen { "seen" } else { "submitted" }, wait.as_millis())
        })
    }
}

impl Client {
    /// `POST /v1/messages`
    pub async fn send_mail(&self, new: &NewMessage, follow: Option<Follow>) -> Result<MailView, ClientError> {
        let wait = follow.map_or(Duration::ZERO, |follow| follow.wait);
        self.act(&format!("/v1/messages{}", Follow::query(follow)), new, wait).await
    }

    /// `GET /v1/messages/{id}`
    pub async fn mail(&self, id: MessageId, follow: Option<Follow>) -> Result<MailView, ClientError> {
        let wait = follow.map_or(Duration::ZERO, |follow| follow.wait);
        self.ask(Method::GET, &format!("/v1/messages/{id}{}", Follow::query(follow)), Bytes::new(), wait).await
    }

    /// `DELETE /v1/messages/{id}`
    pub async fn mail_cancel(&self, id: MessageId) -> Result<MailView, ClientError> {
        self.ask(Method::DELETE, &format!("/v1/messages/{id}"), Bytes::new(), Duration::ZERO).await
    }

    /// `GET /v1/messages`, or the inbox of a peer.
    pub async fn mail_list(
        &self,
        to: Option<&str>,
        state: Option<State>,
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<MailPage, ClientError> {
        let to = to.map_or(String::new(), |to| format!("&to={}", encoded(to)));
        let state = state.map_or(String::new(), |state| format!("&state={state}"));
        let before = before.map_or(String::new(), |before| format!("&before={before}"));
        self.get(&format!("/v1/messages?limit={limit}{to}{state}{before}")).await
    }

    /// `POST /v1/messages/{id}/seen`
    pub async fn mail_seen(&self, id: MessageId) -> Result<MailView, ClientError> {
        self.act(&format!("/v1/messages/{id}/seen"), &(), Duration::ZERO).await
    }

    /// `POST /v1/peers/{name}/done`
    pub async fn done(&self, name: &str) -> Result<PeerView, ClientError> {
        self.act(&peer(name, "/done"), &(), Duration::ZERO).await
    }

    /// `POST /v1/peers/{name}/interrupt`
    pub async fn interrupt(&self, name: &str) -> Result<PeerView, ClientError> {
        self.act(&peer(name, "/interrupt"), &(), Duration::ZERO).await
    }
}
