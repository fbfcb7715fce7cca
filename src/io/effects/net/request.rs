//! What a caller asks for, as what is sent.

use super::{exchange::Sent, limits::Limits, redirect::Followed, resolve::Named};
use bytes::Bytes;
use coalmine_actors::effects::{
    EffectError,
    argument::{Contents, Headers, Upto, UrlArg},
    op::Request,
};
use hyper::{
    HeaderMap, Method,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use std::time::Duration;

/// Headers that say where a request goes and where it ends: they are ours.
const NOT_THE_CALLERS: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A call, read.
pub(super) struct Asked {
    pub(super) sent: Sent,
    pub(super) limits: Limits,
    /// The text of an answer that says yes is wanted, and not the answer.
    pub(super) wants_text: bool,
    /// It goes on to where the answer leads.
    pub(super) followed: Option<Followed>,
}

/// What is sent for `request`, within `limits` or what it says itself.
///
/// # Errors
/// [`EffectError::BadArgs`].
pub(super) fn read(request: Request, named: Named, limits: Limits) -> Result<Asked, EffectError> {
    let plain = |method: Method, UrlArg(target): UrlArg, body: Bytes, wants_text: bool| Asked {
        sent: Sent { method, target, named, headers: HeaderMap::new(), body },
        limits,
        wants_text,
        followed: None,
    };
    match request {
        Request::NetGet { url } => Ok(plain(Method::GET, url, Bytes::new(), true)),
        Request::NetPost { url, body } => Ok(plain(Method::POST, url, body.0, true)),
        Request::HttpGet { url } => Ok(plain(Method::GET, url, Bytes::new(), false)),
        Request::HttpPost { url, body, content_type } => {
            let mut asked = plain(Method::POST, url, body.0, false);
            if let Some(given) = content_type {
                asked.sent.headers.insert(CONTENT_TYPE, value("content_type", &given)?);
            }
            Ok(asked)
        }
        Request::HttpSend { method, url, headers, body, timeout_ms, redirects } => {
            let Headers(given) = headers.unwrap_or_default();
            let body = body.map_or_else(Bytes::new, |Contents(body)| body);
            let followed = redirects.map_or(0, |Upto(count)| count);
            let followed = (followed > 0).then(|| Followed {
                method: method.0.clone(),
                target: url.0.clone(),
                headers: given.clone(),
                body: body.clone(),
                left: followed,
            });
            let mut asked = plain(known(&method.0)?, url, body, false);
            asked.sent.headers = checked(given)?;
            if let Some(Upto(ms)) = timeout_ms {
                asked.limits.total = Duration::from_millis(ms);
            }
            Ok(Asked { followed, ..asked })
        }
        other => Err(EffectError::Internal(format!("{} is no connection", other.op()))),
    }
}

fn known(method: &str) -> Result<Method, EffectError> {
    match method {
        "CONNECT" => Err(EffectError::bad("method", "CONNECT makes a way to another place")),
        name => name.parse().map_err(|_| EffectError::bad("method", "is not a method like GET")),
    }
}

fn checked(given: Vec<(String, String)>) -> Result<HeaderMap, EffectError> {
    let mut headers = HeaderMap::new();
    for (name, text) in given {
        let name: HeaderName =
            name.parse().map_err(|_| EffectError::bad("headers", format!("{name:?} is no name of a header")))?;
        if NOT_THE_CALLERS.contains(&name.as_str()) {
            return Err(EffectError::bad("headers", format!("{name} is not the caller's to set")));
        }
        headers.append(name, value("headers", &text)?);
    }
    Ok(headers)
}

fn value(which: &'static str, text: &str) -> Result<HeaderValue, EffectError> {
    HeaderValue::from_str(text).map_err(|_| EffectError::bad(which, "holds a value that can not stand in a header"))
}
