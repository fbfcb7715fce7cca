//! What the attachment store can refuse or fail at.

use super::id::AttachmentId;
use crate::error::Kind;

/// Where limits are set, for hints.
const CONFIG: &str = "[attachments] of the daemon's config file: $COALMINE_CONFIG, else coalmine/config.toml in \
                      $XDG_CONFIG_HOME or ~/.config";

/// Why the store does not do what was asked. Part of [`crate::error::FleetError`]; a file operation that failed is
/// its [`Io`](crate::error::FleetError::Io).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachmentError {
    /// No id.
    #[error("{text:?} is no attachment's id")]
    BadId {
        /// What was given.
        text: String,
    },
    /// There is no such attachment, or the session holds no reference to it.
    #[error("there is no attachment {0}")]
    NotFound(AttachmentId),
    /// It is referred to for good, and its bytes are gone, or were damaged and put aside.
    #[error("the bytes of the attachment {0} are lost")]
    Lost(AttachmentId),
    /// The bytes are there, and nothing that says what they are.
    #[error("the attachment {0} has lost its metadata")]
    MissingMeta(AttachmentId),
    /// The manifest could not take note of the intent; no bytes were stored.
    #[error("the intent can not be recorded: {reason}")]
    ManifestRecordFailed {
        /// Why.
        reason: String,
        /// What to do about that.
        hint: String,
    },
    /// The bytes are not those of the id; they were put aside.
    #[error("the attachment {id} is corrupt: what lies there is {found}")]
    Corrupt {
        /// What was asked for.
        id: AttachmentId,
        /// The digest of what was found, or its length where that is wrong already.
        found: String,
    },
    /// Longer than one attachment may be.
    #[error("the attachment is longer than {limit} bytes")]
    TooLarge {
        /// The limit, bytes.
        limit: u64,
    },
    /// The store, or the session's share of it, is full.
    #[error("{whose} may hold {limit} bytes of attachments, and this would be {wanted}")]
    OverQuota {
        /// Whose share: `the store`, `the session claude-bob`.
        whose: String,
        /// The quota, bytes.
        limit: u64,
        /// What it would hold, bytes.
        wanted: u64,
    },
    /// Something that was given makes no sense.
    #[error("{what}")]
    Invalid {
        /// What, and why.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// A reference to bytes that are not there, or that the session never put.
    #[error("the session has not put {id}, so no reference to it can be committed")]
    UnknownBlob {
        /// Which.
        id: AttachmentId,
    },
    /// A range that begins behind the end.
    #[error("the range begins behind the end: the attachment has {byte_len} bytes")]
    BadRange {
        /// The length, bytes.
        byte_len: u64,
    },
}

impl AttachmentError {
    /// Something that makes no sense.
    pub fn invalid(what: impl Into<String>, hint: &'static str) -> Self {
        Self::Invalid { what: what.into(), hint }
    }

    /// The class of the failure.
    pub fn kind(&self) -> Kind {
        use AttachmentError as E;
        match self {
            E::BadId { .. } | E::TooLarge { .. } | E::Invalid { .. } | E::BadRange { .. } => Kind::Usage,
            E::NotFound(_) | E::UnknownBlob { .. } => Kind::NotFound,
            E::OverQuota { .. } => Kind::Refused,
            E::ManifestRecordFailed { .. } => Kind::Held,
            E::Lost(_) | E::MissingMeta(_) | E::Corrupt { .. } => Kind::Failed,
        }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        use AttachmentError as E;
        match self {
            E::BadId { .. } => "bad-attachment-id",
            E::NotFound(_) => "no-attachment",
            E::Lost(_) => "lost",
            E::MissingMeta(_) => "missing-meta",
            E::ManifestRecordFailed { .. } => "manifest-record-failed",
            E::Corrupt { .. } => "corrupt",
            E::TooLarge { .. } => "too-large",
            E::OverQuota { .. } => "over-quota",
            E::Invalid { .. } => "invalid-attachment",
            E::UnknownBlob { .. } => "unknown-blob",
            E::BadRange { .. } => "bad-range",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        use AttachmentError as E;
        match self {
            E::BadId { .. } => "an id is 64 hex digits in lower case; `coalmine attachment list` shows them".into(),
            E::NotFound(_) => "`coalmine attachment list` shows what is there".into(),
            E::Lost(_) | E::MissingMeta(_) | E::Corrupt { .. } => {
                "put the true bytes again: that heals it; `coalmine attachment verify` looks at all of them".into()
            }
            E::ManifestRecordFailed { hint, .. } => format!("nothing was stored; {hint}"),
            E::TooLarge { .. } => format!("bytes_max is the limit; it stands in {CONFIG}"),
            E::OverQuota { .. } => {
                format!("`coalmine attachment gc` frees what nobody refers to; the quota stands in {CONFIG}")
            }
            E::Invalid { hint, .. } => (*hint).into(),
            E::UnknownBlob { .. } => "put it in this session first, then commit".into(),
            E::BadRange { .. } => "ask for a range within the attachment".into(),
        }
    }
}
