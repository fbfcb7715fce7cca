//! Takes a request apart: names, queries and bodies, each with a typed refusal.

use super::{BODY_BYTES_MAX, WAIT_TIME_MAX, wire::ApiError};
use axum::{
    body::to_bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{
        HeaderMap,
        header::{AUTHORIZATION, CONTENT_LENGTH},
        request::Parts,
    },
};
use serde::{Deserialize, de::DeserializeOwned};
use std::time::Duration;

/// How long a lifecycle request waits where it does not say; it must end before the request's own deadline.
const WAIT_TIME_DEFAULT: Duration = Duration::from_secs(20);

/// The `{name}` of a path, decoded; whether it is a name, the fleet judges.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Path::from_request_parts(parts, state).await.map(|Path(name)| Self(name)).map_err(|_| ApiError::BadPath)
    }
}

/// The two names of a path, decoded.
pub(super) struct Names(pub(super) String, pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Names {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::from_request_parts(parts, state).await;
        path.map(|Path((one, other))| Self(one, other)).map_err(|_| ApiError::BadPath)
    }
}

/// What proves who asks: `Authorization: Bearer <COALMINE_TOKEN>`.
pub(super) fn token(headers: &HeaderMap) -> Option<&str> {
    let said = headers.get(AUTHORIZATION)?.to_str().unwrap_or_default();
    Some(said.strip_prefix("Bearer ").unwrap_or(said))
}

/// A query, parsed.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let parsed = Query::from_request_parts(parts, state).await;
        parsed.map(|Query(value)| Self(value)).map_err(|error| ApiError::BadQuery(cause(&error)))
    }
}

/// What serde said, without the layers around it.
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}

/// A JSON body of at most [`BODY_BYTES_MAX`] bytes.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;
    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        json(request, BODY_BYTES_MAX).await.map(Self)
    }
}

/// A JSON body of at most so many bytes.
pub(super) async fn json<T: DeserializeOwned>(request: Request, bytes_max: usize) -> Result<T, ApiError> {
    // Refused before a byte is read where the length is announced.
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > bytes_max as u64) {
        return Err(ApiError::BodyTooLarge { bytes_max });
    }
    let bytes = to_bytes(request.into_body(), bytes_max).await.map_err(|error| {
        let too_long =
            std::error::Error::source(&error).is_some_and(|why| why.is::<http_body_util::LengthLimitError>());
        if too_long { ApiError::BodyTooLarge { bytes_max } } else { ApiError::BodyCut }
    })?;
    serde_json::from_slice(&bytes).map_err(ApiError::BadJson)
}

/// `?wait_ms=`: how long the caller waits for the state that it asked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wait {
    wait_ms: Option<u64>,
}

impl Wait {
    /// The wait, within its limit.
    pub(super) fn time(&self) -> Duration {
        self.wait_ms.map_or(WAIT_TIME_DEFAULT, Duration::from_millis).min(WAIT_TIME_MAX)
    }
}

/// The wait that a query asks for; zero where it asks for none.
pub(super) fn wait_of(query: &str) -> Duration {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("wait_ms=")?.parse().ok())
        .map_or(Duration::ZERO, Duration::from_millis)
        .min(WAIT_TIME_MAX)
}
