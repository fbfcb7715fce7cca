//! Why an effect did not happen, or not as it was asked for.

use super::rule::Rule;
use crate::error::Kind;
use serde_json::{Value, json};
use std::{borrow::Cow, io, time::Duration};

/// What a call of an effect fails with. A refusal never names what is allowed, nor whether a file is there.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EffectError {
    /// The policy does not allow it.
    #[error("denied by the policy: {rule}")]
    Denied {
        /// What decided.
        rule: Rule,
    },
    /// Longer or more than is possible.
    #[error("{which} is over its limit of {max}")]
    Limit {
        /// What: `path`, `contents`, `body`.
        which: Cow<'static, str>,
        /// How much there may be, in the unit of what it is (bytes, entries).
        max: u64,
    },
    /// It took too long.
    #[error("timed out ({phase})")]
    Timeout {
        /// In which phase: `connect`, `run`, `total`.
        phase: &'static str,
    },
    /// There is no such thing where the policy allows to look.
    #[error("not found")]
    NotFound,
    /// The kernel refused.
    #[error("the system refused: {kind}")]
    Io {
        /// The class of its refusal.
        kind: io::ErrorKind,
    },
    /// The other side did not keep to its protocol.
    #[error("protocol: {what}")]
    Protocol {
        /// What it did.
        what: String,
    },
    /// The other side could not be reached, or the connection broke.
    #[error("network: {what}")]
    Network {
        /// What happened.
        what: Cow<'static, str>,
    },
    /// No secure connection was made: a certificate that is nobody's, or not this host's.
    #[error("tls: {what}")]
    Tls {
        /// Why not.
        what: String,
    },
    /// What came is not what the operation gives: no text in UTF-8.
    #[error("decode: {what}")]
    Decode {
        /// What it is not.
        what: Cow<'static, str>,
    },
    /// The other side answered that it did not do it.
    #[error("status {status}: {body}")]
    Status {
        /// Its status.
        status: u16,
        /// The beginning of what it said.
        body: String,
    },
    /// A provider does not know us: its key is missing or wrong.
    #[error("the provider refuses the key of this fleet")]
    Auth,
    /// A provider wants to be asked less often.
    #[error("the provider is asked too often")]
    RateLimited {
        /// When it may be asked again, where it says so.
        retry_after: Option<Duration>,
    },
    /// A provider could not do it.
    #[error("the provider failed with status {status}: {what}")]
    Upstream {
        /// Its status.
        status: u16,
        /// What it says itself.
        what: String,
    },
    /// The tool that was called says that it failed. Its server goes on.
    #[error("the tool failed: {said}")]
    Tool {
        /// What it says of that.
        said: String,
    },
    /// An argument is missing, unknown or malformed.
    #[error("bad argument {which:?}: {why}")]
    BadArgs {
        /// Which one.
        which: Cow<'static, str>,
        /// What is wrong with it.
        why: Cow<'static, str>,
    },
    /// No such handle in this session; closed ones and those of others look the same.
    #[error("unknown handle")]
    UnknownHandle,
    /// The session holds as many of this kind as it may.
    #[error("the session holds {max} handles of this kind, which is the limit")]
    TooManyHandles {
        /// The limit.
        max: usize,
    },
    /// The budget does not reach.
    #[error("over the budget: {what} {requested} requested, {used} used of {ceiling}")]
    Budget {
        /// Which of its numbers: `calls`, `wall_ms`, `bytes_out`, `llm_tokens`.
        what: &'static str,
        /// How much this call needs.
        requested: u64,
        /// How much was used before it.
        used: u64,
        /// How much there is.
        ceiling: u64,
    },
    /// The mailroom did not accept a message, or will not deliver it before somebody does something.
    #[error("the message is not delivered ({code}): {why}")]
    NotSent {
        /// The mailroom's word for it: `stopped`, `no-composer`, `queue-full`.
        code: String,
        /// What happened.
        why: String,
    },
    /// The session ended, or somebody called it off.
    #[error("cancelled")]
    Cancelled,
    /// This build, or this host, can not do it.
    #[error("unsupported: {what}")]
    Unsupported {
        /// What, and why not.
        what: Cow<'static, str>,
    },
    /// The audit log can not be written, so nothing is done.
    #[error("the audit log can not be written: {why}")]
    Unaudited {
        /// Why.
        why: String,
    },
    /// A fault of ours.
    #[error("internal fault: {0}")]
    Internal(String),
}

impl EffectError {
    /// An argument is wrong.
    pub fn bad(which: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        Self::BadArgs { which: which.into(), why: why.into() }
    }

    /// Something is over its limit.
    pub fn limit(which: impl Into<Cow<'static, str>>, max: u64) -> Self {
        Self::Limit { which: which.into(), max }
    }

    /// This build can not do it.
    pub fn unsupported(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Unsupported { what: what.into() }
    }

    /// Whether a provider may have worked for it all the same: it was let go of, and nobody was told how far it came.
    pub(super) fn may_have_spent_tokens(&self) -> bool {
        match self {
            Self::Timeout { phase } => *phase != "connect",
            Self::Limit { .. } | Self::Cancelled | Self::Internal(_) => true,
            _ => false,
        }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "denied",
            Self::Limit { .. } => "limit",
            Self::Timeout { .. } => "timeout",
            Self::NotFound => "not-found",
            Self::Io { .. } => "effect-io",
            Self::Protocol { .. } => "protocol",
            Self::Network { .. } => "network",
            Self::Tls { .. } => "tls",
            Self::Decode { .. } => "decode",
            Self::Status { .. } => "status",
            Self::Auth => "auth",
            Self::RateLimited { .. } => "rate-limited",
            Self::Upstream { .. } => "upstream",
            Self::Tool { .. } => "tool",
            Self::BadArgs { .. } => "bad-args",
            Self::UnknownHandle => "unknown-handle",
            Self::TooManyHandles { .. } => "too-many-handles",
            Self::Budget { .. } => "budget",
            Self::NotSent { .. } => "not-sent",
            Self::Cancelled => "cancelled",
            Self::Unsupported { .. } => "effect-unsupported",
            Self::Unaudited { .. } => "unaudited",
            Self::Internal(_) => "internal",
        }
    }

    /// The class of the failure.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Denied { .. } | Self::Budget { .. } => Kind::Refused,
            Self::Limit { .. } | Self::BadArgs { .. } => Kind::Usage,
            Self::NotFound | Self::UnknownHandle => Kind::NotFound,
            Self::Timeout { .. } => Kind::TimedOut,
            Self::TooManyHandles { .. }
            | Self::NotSent { .. }
            | Self::Cancelled
            | Self::Unaudited { .. }
            | Self::RateLimited { .. } => Kind::Held,
            Self::Io { .. }
            | Self::Protocol { .. }
            | Self::Network { .. }
            | Self::Tls { .. }
            | Self::Decode { .. }
            | Self::Status { .. }
            | Self::Auth
            | Self::Upstream { .. }
            | Self::Tool { .. }
            | Self::Unsupported { .. }
            | Self::Internal(_) => Kind::Failed,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Denied { .. } => {
                "ask the operator: `coalmine policy explain` says which rule of the policy decides".into()
            }
            Self::Limit { .. } => "ask for less at once".into(),
            Self::Timeout { .. } => "try again, or ask for less".into(),
            Self::NotFound => "check the name".into(),
            Self::Io { .. } => "check what lies there and who may use it".into(),
            Self::Protocol { .. } => "check the other side".into(),
            Self::Network { .. } => "check the name, and whether the other side runs".into(),
            Self::Tls { .. } => "check the other side's certificate, and the host's list of authorities".into(),
            Self::Decode { .. } => "take it with `http.get`, which gives bytes as they are".into(),
            Self::Status { .. } => "do what the other side says; `http.get` gives every status as a result".into(),
            Self::Auth => "the operator sets [provider] `api_key_env` or `api_key_file` in the config".into(),
            Self::RateLimited { retry_after: Some(after) } => format!("ask again in {} s", after.as_secs()),
            Self::RateLimited { retry_after: None } => "ask again later".into(),
            Self::Upstream { .. } => "check the model's name and the provider's state".into(),
            Self::Tool { .. } => "check what it was called with".into(),
            Self::BadArgs { .. } => "`coalmine effect ops` shows what each operation takes".into(),
            Self::UnknownHandle => "use a handle that this session opened and has not closed".into(),
            Self::TooManyHandles { .. } => "close some of them first".into(),
            Self::Budget { .. } => "the operator can raise [budget] in the peer's policy".into(),
            Self::NotSent { .. } => "`coalmine show` says how the recipient is, and what would change it".into(),
            Self::Cancelled => "call again in a session that lives".into(),
            Self::Unsupported { .. } => "leave it out".into(),
            Self::Unaudited { .. } => {
                "free the disk of the fleet's root, or make effects/audit.log there writable".into()
            }
            Self::Internal(_) => "please report this with the last lines of `coalmine effects log`".into(),
        }
    }

    /// As it stands in answers: `{"code":…,"message":…,…}`, with the numbers of those that have some.
    pub fn to_json(&self) -> Value {
        let mut json = json!({ "code": self.code(), "message": self.to_string(), "hint": self.hint() });
        let details = match self {
            Self::Denied { rule } => json!({ "rule": rule }),
            Self::Limit { which, max } => json!({ "which": which, "max": max }),
            Self::Timeout { phase } => json!({ "phase": phase }),
            Self::Tool { said } => json!({ "said": said }),
            Self::Io { kind } => json!({ "kind": kind.to_string() }),
            Self::BadArgs { which, .. } => json!({ "which": which }),
            Self::Status { status, .. } | Self::Upstream { status, .. } => json!({ "status": status }),
            Self::RateLimited { retry_after } => json!({ "retry_after_s": retry_after.map(|after| after.as_secs()) }),
            Self::TooManyHandles { max } => json!({ "max": max }),
            Self::NotSent { code, .. } => json!({ "reason": code }),
            Self::Budget { what, requested, used, ceiling } => {
                json!({ "what": what, "requested": requested, "used": used, "ceiling": ceiling })
            }
            _ => return json,
        };
        if let (Value::Object(json), Value::Object(details)) = (&mut json, details) {
            json.extend(details);
        }
        json
    }
}

impl From<io::Error> for EffectError {
    /// Of an operation within what the policy allows: then it may be told that something is not there.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            kind => Self::Io { kind },
        }
    }
}
