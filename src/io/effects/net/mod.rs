//! The family of connections: HTTP to where the policy says, at addresses that were looked at.
//!
//! ```text
//! resolve.rs    a host's addresses, once, and who may reach them      limits.rs     how long, how much
//! connect.rs    to one of them; tls.rs whom TLS trusts                exchange.rs   one request and its answer
//! request.rs    what a caller may send                                redirect.rs   what an answer leads to
//! ```
//!
//! No proxy, no cookie, no connection of another call: what is reached is what was decided on.

mod connect;
mod exchange;
mod limits;
mod redirect;
mod request;
mod resolve;
#[cfg(test)]
mod tests;
mod tls;

pub(super) use self::{
    exchange::{Answer, Answering, Sent},
    limits::Limits,
    resolve::Named,
};

use coalmine_actors::{
    effects::{
        EffectError,
        output::{Done, Output},
        plan::Plan,
        port::{Call, Outcome},
    },
    ports::BoxFuture,
};
use resolve::{Lookup, System};
use serde_json::{Value, json};
use std::sync::Arc;
use tls::Tls;
use tokio::time::Instant;

/// Most of a body that is told in an error, bytes.
const TOLD_BYTES_MAX: usize = 4 * 1024;

/// Connections of this fleet. Clones share how they are made.
#[derive(Clone)]
pub(super) struct Net {
    lookup: Arc<dyn Lookup>,
    tls: Tls,
    limits: Limits,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Net")
    }
}

impl Default for Net {
    fn default() -> Self {
        Self { lookup: Arc::new(System), tls: Tls::default(), limits: Limits::default() }
    }
}

impl Net {
    /// Carries a call out. Dropped, the connection is closed.
    pub(super) fn perform(&self, call: Call) -> BoxFuture<Outcome> {
        Box::pin(perform(self.clone(), call))
    }
}

async fn perform(net: Net, call: Call) -> Outcome {
    let Plan::Connect { named, .. } = call.plan else {
        return Err(EffectError::Internal("a connection by another plan".into()));
    };
    let asked = request::read(call.request, Named::ByRule(named), net.limits)?;
    let end = Instant::now() + asked.limits.total;
    let bytes_out = asked.sent.body.len() as u64;
    let answer = net.exchange(asked.sent, asked.limits).await?;
    let left_ms = u64::try_from(end.saturating_duration_since(Instant::now()).as_millis()).unwrap_or(u64::MAX);
    let leads_to = match asked.followed {
        Some(followed) => followed.next(&answer, left_ms)?.map(Box::new),
        None => None,
    };
    let bytes_in = answer.body.len() as u64;
    let output = if asked.wants_text { text(answer)? } else { told(&answer) };
    Ok(Done { bytes_in, bytes_out: Some(bytes_out), leads_to, ..output.into() })
}

/// Of an answer that says yes.
fn text(answer: Answer) -> Result<Output, EffectError> {
    if !answer.status.is_success() {
        let body = &answer.body[..answer.body.len().min(TOLD_BYTES_MAX)];
        let body = String::from_utf8_lossy(body).into_owned();
        return Err(EffectError::Status { status: answer.status.as_u16(), body });
    }
    let text = String::from_utf8(answer.body.into());
    text.map(Output::Text).map_err(|_| EffectError::Decode { what: "the body is no text in UTF-8".into() })
}

/// As `{status, headers, body}`: headers as they came, also twice; what is no text as bytes.
fn told(answer: &Answer) -> Output {
    let bytes = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => Value::from(text),
        Err(_) => Output::Bytes(bytes.to_vec().into()).into_json(),
    };
    let headers: Vec<Value> =
        answer.headers.iter().map(|(name, value)| json!([name.as_str(), bytes(value.as_bytes())])).collect();
    Output::Json(json!({ "status": answer.status.as_u16(), "headers": headers, "body": bytes(&answer.body) }))
}
