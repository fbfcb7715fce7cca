//! The shape of every answer, and what each failure becomes on the wire.

use crate::error::exit_code;
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use coalmine_actors::{
    attachments::{AttachmentError, AttachmentId, Owner, Session},
    effects::{EffectError, output::Output},
    error::{FleetError, Kind},
    memory::Added,
    names::{Generation, Identity},
    provisioner::occasion::Direction,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// The version of every JSON document that this build writes.
pub const SCHEMA_VERSION: u32 = 1;

/// One document: `{"schema_version":1,"data":…}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<T> {
    /// The version of the shape of `data`.
    pub schema_version: u32,
    /// What was asked for.
    pub data: T,
}

impl<T> Envelope<T> {
    /// A document of this build.
    pub fn new(data: T) -> Self {
        Self { schema_version: SCHEMA_VERSION, data }
    }
}

impl<T: Serialize> IntoResponse for Envelope<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// A refusal: `{"schema_version":1,"error":{…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorEnvelope {
    /// The version of the shape of `error`.
    pub schema_version: u32,
    /// What went wrong.
    pub error: ErrorBody,
}

/// What went wrong, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// A stable name.
    pub code: String,
    /// What was wrong, and where.
    pub message: String,
    /// What to do; empty where nothing helps.
    pub hint: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The command line's exit code for it.
    pub exit_code: u8,
}

impl From<&FleetError> for ErrorBody {
    fn from(error: &FleetError) -> Self {
        Self {
            code: error.code().into(),
            message: error.chain(),
            hint: error.hint(),
            retryable: error.retryable(),
            exit_code: exit_code(error.kind()),
        }
    }
}

/// Why a request is refused: by the fleet, or before it got there.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error(transparent)]
    Fleet(#[from] FleetError),
    #[error("no such route")]
    NoRoute,
    #[error("this route has other methods")]
    BadMethod,
    #[error("the path is not UTF-8 text")]
    BadPath,
    #[error("the query can not be read: {0}")]
    BadQuery(String),
    #[error("the body is not the JSON that is expected")]
    BadJson(#[source] serde_json::Error),
    #[error("the body ended early")]
    BodyCut,
    #[error("the body is longer than {bytes_max} bytes")]
    BodyTooLarge { bytes_max: usize },
    #[error("the request took longer than {after:?}")]
    Deadline { after: Duration },
    #[error("busy: {} connections are open", super::CONNECTIONS_MAX)]
    Busy,
}

impl ApiError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Fleet(error) => fleet_status(error),
            Self::NoRoute => StatusCode::NOT_FOUND,
            Self::BadMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadPath | Self::BadQuery(_) | Self::BadJson(_) | Self::BodyCut => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Deadline { .. } => StatusCode::GATEWAY_TIMEOUT,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Code, hint and class of what is refused before the fleet is asked.
    fn body(&self) -> ErrorBody {
        let (code, hint, kind) = match self {
            Self::Fleet(error) => return error.into(),
            Self::NoRoute => ("no-route", "the routes are under /v1; is the client of another version?", Kind::Usage),
            Self::BadMethod => ("bad-method", "reads are GET, acts are POST, removal is DELETE", Kind::Usage),
            Self::BadPath => ("bad-path", "percent-encode the name as UTF-8", Kind::Usage),
            Self::BadQuery(_) => ("bad-query", "is the client of another version?", Kind::Usage),
            Self::BadJson(_) => ("bad-json", "send one JSON object with the documented keys", Kind::Usage),
            Self::BodyCut => ("body-cut", "send as many bytes as Content-Length says", Kind::Usage),
            Self::BodyTooLarge { .. } => {
                ("body-too-large", "shorten the command, the variables or the description", Kind::Usage)
            }
            Self::Deadline { .. } => {
                ("timed-out", "what was begun goes on; look with `coalmine status`", Kind::TimedOut)
            }
            Self::Busy => ("busy", "try again in a moment", Kind::Held),
        };
        ErrorBody {
            code: code.into(),
            message: match self {
                Self::BadJson(where_and_what) => format!("{self}: {where_and_what}"),
                _ => self.to_string(),
            },
            hint: hint.into(),
            retryable: matches!(kind, Kind::TimedOut | Kind::Held),
            exit_code: exit_code(kind),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let envelope = ErrorEnvelope { schema_version: SCHEMA_VERSION, error: self.body() };
        let mut response = (self.status(), Json(envelope)).into_response();
        // Whoever asked for a part that there is not learns which parts there are.
        if let Self::Fleet(FleetError::Attachment(AttachmentError::BadRange { byte_len })) = self
            && let Ok(length) = HeaderValue::try_from(format!("bytes */{byte_len}"))
        {
            response.headers_mut().insert(header::CONTENT_RANGE, length);
        }
        response
    }
}

fn fleet_status(error: &FleetError) -> StatusCode {
    match (error, error.kind()) {
        (
            FleetError::NameTaken { .. }
            | FleetError::WrongPhase { .. }
            | FleetError::Overruled { .. }
            | FleetError::Held { .. },
            _,
        ) => StatusCode::CONFLICT,
        (FleetError::Attachment(AttachmentError::TooLarge { .. }), _) => StatusCode::PAYLOAD_TOO_LARGE,
        (FleetError::Attachment(AttachmentError::BadRange { .. }), _) => StatusCode::RANGE_NOT_SATISFIABLE,
        (_, Kind::Usage) => StatusCode::BAD_REQUEST,
        (_, Kind::NotFound) => StatusCode::NOT_FOUND,
        (_, Kind::Refused) => StatusCode::FORBIDDEN,
        (_, Kind::TimedOut) => StatusCode::GATEWAY_TIMEOUT,
        (_, Kind::Held | Kind::Unreachable) => StatusCode::SERVICE_UNAVAILABLE,
        (_, Kind::Failed | Kind::Degraded | Kind::Config) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The body of `POST /v1/peers/{identity}/ready`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// Which life says so.
    #[serde(rename = "gen")]
    pub generation: Generation,
}

/// The body of `POST /v1/shutdown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// Whether the peers end too.
    pub peers: bool,
}

/// What a shutdown did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShutDown {
    /// Peers that were ended.
    pub ended: usize,
    /// Peers that still run.
    pub running: usize,
    /// Peers that could not be ended, though they were to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<NotEnded>,
}

/// A peer that could not be ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotEnded {
    /// Which.
    pub identity: Identity,
    /// Why.
    pub error: ErrorBody,
}

/// The body of `POST /v1/memory-plugin`: either one peer or all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepWanted {
    /// On or off.
    pub direction: Direction,
    /// The one peer that is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// All are.
    #[serde(default)]
    pub all: bool,
}

/// The text on a peer's screen, made harmless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screen {
    /// Its lines.
    pub text: String,
}

/// What became of an effect: `{"ok": …}` or `{"err": {"code": …, …}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Called {
    /// What it gives.
    Ok(Value),
    /// Why it gives nothing; with `exit_code`.
    Err(Value),
}

impl From<Result<Output, EffectError>> for Called {
    fn from(result: Result<Output, EffectError>) -> Self {
        match result {
            Ok(output) => Self::Ok(output.into_json()),
            Err(error) => {
                let mut json = error.to_json();
                json["exit_code"] = exit_code(error.kind()).into();
                Self::Err(json)
            }
        }
    }
}

/// Some lines of the memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// Whole lines, as they are in the file.
    pub lines: String,
    /// What to ask for as `after` next; nothing at the end.
    pub next: Option<u64>,
}

/// The body of `POST /v1/attachments/commit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Committing {
    /// In which session.
    pub session: Session,
    /// Whose references; the whole session's where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// To what.
    pub ids: Vec<AttachmentId>,
}

/// The body of `POST /v1/attachments/release`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Releasing {
    /// Whose references end.
    pub session: Session,
    /// Only this owner's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

/// References that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// How many.
    pub released: u64,
}

/// The body of `POST /v1/attachments/adopt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adopting {
    /// Whose references are copied.
    pub parent: Session,
    /// Whose they become, too.
    pub child: Session,
}

/// References that were copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// How many: those that the child had already are not counted.
    pub adopted: u64,
}

/// The body of `POST /v1/attachments/gc`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepAsked {
    /// How old what goes must be, milliseconds; as the configuration says where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<u64>,
    /// Only say what would go.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of one item of an import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ImportedItem {
    /// It is kept.
    Added(Added),
    /// It is not.
    Refused {
        /// Why.
        error: ErrorBody,
    },
}

impl From<Result<Added, FleetError>> for ImportedItem {
    fn from(result: Result<Added, FleetError>) -> Self {
        match result {
            Ok(added) => Self::Added(added),
            Err(error) => Self::Refused { error: (&error).into() },
        }
    }
}
