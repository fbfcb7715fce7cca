//! The edge of the API, where no fleet is needed: shapes, refusals, limits.

use super::{wire::*, *};
use axum::{body::to_bytes, http::StatusCode, response::IntoResponse};
use coalmine_actors::error::FleetError;

async fn answer(error: ApiError) -> (StatusCode, ErrorEnvelope) {
    let response = error.into_response();
    let status = response.status();
    let bytes = to_bytes(response.into_body(), BODY_BYTES_MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn every_refusal_has_a_status_a_code_and_an_exit_code() {
    let unknown = FleetError::UnknownPeer { name: "x".into(), nearest: vec![] };
    let held = FleetError::Held { root: "/r".into(), holder: "pid 1".into() };
    let not_json = serde_json::from_str::<Ready>("{\n nope").unwrap_err();
    for (error, status, code, exit) in [
        (ApiError::Fleet(unknown), 404, "unknown-peer", 3),
        (ApiError::Fleet(held), 409, "held", 75),
        (ApiError::Fleet(FleetError::ShuttingDown), 503, "shutting-down", 69),
        (ApiError::Fleet(FleetError::Internal("x".into())), 500, "internal", 1),
        (ApiError::NoRoute, 404, "no-route", 2),
        (ApiError::BadMethod, 405, "bad-method", 2),
        (ApiError::BadJson(not_json), 400, "bad-json", 2),
        (ApiError::BodyTooLarge { bytes_max: 7 }, 413, "body-too-large", 2),
        (ApiError::Deadline { after: REQUEST_TIME_MAX }, 504, "timed-out", 5),
        (ApiError::Busy, 503, "busy", 75),
    ] {
        let (got, body) = answer(error).await;
        let ErrorEnvelope { schema_version, error } = body;
        assert_eq!((got.as_u16(), error.code.as_str(), error.exit_code), (status, code, exit));
        assert_eq!(schema_version, SCHEMA_VERSION);
        assert_eq!(error.retryable, matches!(exit, 5 | 69 | 75), "{code}");
    }
}

#[tokio::test]
async fn json_that_is_not_json_is_told_where() {
    let error = serde_json::from_str::<Ready>("{\n nope").unwrap_err();
    let (_, body) = answer(ApiError::BadJson(error)).await;
    assert!(body.error.message.contains("line 2 column 2"), "{}", body.error.message);
}

#[test]
fn a_wait_is_taken_from_the_query_and_limited() {
    assert_eq!(extract::wait_of(""), Duration::ZERO);
    assert_eq!(extract::wait_of("force=true&wait_ms=1500"), Duration::from_millis(1500));
    assert_eq!(extract::wait_of("wait_ms=99999999999"), WAIT_TIME_MAX);
    assert_eq!(extract::wait_of("wait_ms=nope"), Duration::ZERO);
}
