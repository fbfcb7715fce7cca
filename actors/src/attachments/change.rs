//! What can be written into the manifest, and what it answers: one language for its readers, its rules and its file.

use super::{
    claim::{Claim, Intent, Owner, Session},
    error::AttachmentError,
    id::AttachmentId,
    meta::Meta,
};

/// How far a blob is.
///
/// ```text
///           Intend           Landed          Condemn               Gone
///  (no row) ──────▶ staged ─────────▶ live ─────────▶ condemned ─────────▶ (no row)
///                     ▲  └──────────────── Condemn ──────▲  │
///                     └── Lost ──── live                 │  │
///                     └───────────────────────── Intend ─┼──┘ while nobody unlinks it
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobState {
    /// Somebody means to store it; the bytes may be there or not.
    Staged,
    /// The bytes are there.
    Live,
    /// Nobody refers to it; the bytes go.
    Condemned,
}

impl BlobState {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 3] =
        [("staged", Self::Staged), ("live", Self::Live), ("condemned", Self::Condemned)];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staged => "staged",
            Self::Live => "live",
            Self::Condemned => "condemned",
        }
    }

    /// The state of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, state)| *state)
    }
}

/// How much may be stored; nothing where there is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quotas {
    /// By one session, bytes; equal bytes count once.
    pub session_bytes_max: Option<u64>,
    /// By all together, bytes.
    pub total_bytes_max: Option<u64>,
}

/// Something to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Somebody means to store these bytes and claims them.
    Intend {
        /// Who.
        claim: Claim,
        /// The record, should it be the first.
        meta: Box<Meta>,
        /// When, milliseconds since the epoch.
        at_ms: i64,
        /// What they may hold.
        quotas: Quotas,
    },
    /// The bytes are there.
    Landed(AttachmentId),
    /// The bytes are not there any more, or are not what they should be.
    Lost(AttachmentId),
    /// The bytes could not be stored: the intent is taken back.
    Abandon(Claim),
    /// These references are meant to last; all of them or none.
    Commit {
        /// In which session.
        session: Session,
        /// Whose.
        owner: Owner,
        /// To what.
        ids: Vec<AttachmentId>,
        /// When, milliseconds since the epoch.
        at_ms: i64,
    },
    /// These references end.
    Release(Scope),
    /// A fork refers to all that its parent refers to.
    Adopt {
        /// Whose references are copied.
        parent: Session,
        /// Whose they become.
        child: Session,
    },
    /// A session that refers to these has another one refer to them for good; all of them or none.
    Lend {
        /// Who refers to them.
        from: Session,
        /// Who will.
        to: Session,
        /// Whose references they become there.
        owner: Owner,
        /// To what.
        ids: Vec<AttachmentId>,
        /// When, milliseconds since the epoch.
        at_ms: i64,
        /// How much whoever gets them may hold.
        quotas: Quotas,
    },
    /// Intents that nobody stands for any more end, unless they were committed meanwhile.
    DropStale(Vec<Intent>),
    /// Those of these blobs that nobody refers to are to go.
    Condemn(Vec<AttachmentId>),
    /// The bytes of these condemned blobs are gone.
    Gone(Vec<AttachmentId>),
}

/// Whose references end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of a session.
    Session(Session),
    /// One owner's, in a session.
    Owner(Session, Owner),
    /// All owners' of a session, to one attachment.
    One(Session, AttachmentId),
    /// Everybody's, to one attachment.
    Everywhere(AttachmentId),
}

impl Scope {
    /// Whether a claim is among them.
    pub fn covers(&self, claim: &Claim) -> bool {
        match self {
            Self::Session(session) => claim.session == *session,
            Self::Owner(session, owner) => claim.session == *session && claim.owner == *owner,
            Self::One(session, id) => claim.session == *session && claim.id == *id,
            Self::Everywhere(id) => claim.id == *id,
        }
    }
}

/// What a change came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// The intent is noted.
    Intended {
        /// The bytes are there already.
        have: bool,
        /// The claim is new.
        new: bool,
    },
    /// So many references changed.
    References(u64),
    /// These are condemned now, with their lengths in bytes.
    Condemned(Vec<(AttachmentId, u64)>),
    /// Nothing more to say.
    Done,
    /// Nothing of it was written.
    Refused(AttachmentError),
}
