//! Where an answer leads on: a request of its own, which is decided on anew, and told no more than it may know.

use super::exchange::Answer;
use bytes::Bytes;
use coalmine_actors::effects::{
    EffectError,
    argument::{Contents, Headers, Method, Upto, UrlArg},
    op::Request,
    origin::Target,
};
use hyper::header::LOCATION;

/// Headers that another place may see; no other one is, for it may be a key.
const KNOWN_TO_ALL: &[&str] = &["accept", "accept-language", "content-type", "user-agent"];

/// A request whose answers are followed.
#[derive(Debug, Clone)]
pub(super) struct Followed {
    pub(super) method: String,
    pub(super) target: Target,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    /// How often they still are.
    pub(super) left: u64,
}

impl Followed {
    /// What is asked next, where the answer leads on; what is left of the time goes with it.
    ///
    /// # Errors
    /// It leads to what is no URL of ours.
    pub(super) fn next(self, answer: &Answer, left_ms: u64) -> Result<Option<Request>, EffectError> {
        let status = answer.status.as_u16();
        let leads_on = matches!(status, 301 | 302 | 303 | 307 | 308) && self.left > 0;
        let Some(place) = answer.headers.get(LOCATION).filter(|_| leads_on) else { return Ok(None) };
        let none = |why: &str| EffectError::Protocol { what: format!("a redirect to what is not followed: {why}") };
        let place = place.to_str().map_err(|_| none("it is no URL"))?;
        let place = self.target.url.join(place).map_err(|_| none("it is no URL"))?;
        let target: Target = place.as_str().parse().map_err(none)?;
        let sends_again = matches!(status, 307 | 308) || matches!(self.method.as_str(), "GET" | "HEAD");
        let stays = target.origin == self.target.origin;
        let goes_along = |name: &str| {
            let is = |known: &str| name.eq_ignore_ascii_case(known);
            (stays || KNOWN_TO_ALL.iter().any(|known| is(known))) && (sends_again || !is("content-type"))
        };
        Ok(Some(Request::HttpSend {
            method: Method(if sends_again { self.method } else { "GET".into() }),
            url: UrlArg(target),
            headers: Some(Headers(self.headers.into_iter().filter(|(name, _)| goes_along(name)).collect())),
            body: sends_again.then_some(Contents(self.body)),
            timeout_ms: Some(Upto(left_ms)),
            redirects: Some(Upto(self.left - 1)),
        }))
    }
}
