//! Everything that a fleet can refuse or fail at, with a stable code, a kind and a hint for each.
//!
//! The message says what was wrong and where; the hint says what to do; the kind becomes an exit code or an
//! HTTP status at the edge. None of the three repeats another.

use crate::names::{BadName, Identity};
use std::{io, path::PathBuf, sync::Arc, time::Duration};

/// The class of a failure; the command line's exit code and the API's status follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Something went wrong (1).
    Failed,
    /// The request makes no sense (2).
    Usage,
    /// There is no such thing (3).
    NotFound,
    /// A policy forbids it (4).
    Refused,
    /// It took too long (5).
    TimedOut,
    /// Done, but not all of it (6).
    Degraded,
    /// No daemon answers (69).
    Unreachable,
    /// Somebody else holds it; try again (75).
    Held,
    /// The configuration is wrong (78).
    Config,
}

/// What a fleet answers when it does not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FleetError {
    /// A name does not fit the grammar.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// The name is in use, with something that can not be merged.
    #[error("the name {name} is taken: {why}")]
    NameTaken {
        /// The name.
        name: String,
        /// By what.
        why: String,
    },
    /// No peer has this name.
    #[error("no peer is named {name}")]
    UnknownPeer {
        /// What was asked for.
        name: String,
        /// The nearest names that exist.
        nearest: Vec<String>,
    },
    /// The runtime is not defined.
    #[error("the runtime {name} is not defined")]
    UnknownRuntime {
        /// What was asked for.
        name: String,
        /// Those that are.
        known: Vec<String>,
    },
    /// The policy is not defined.
    #[error("the policy {name} is not defined")]
    UnknownPolicy {
        /// What was asked for.
        name: String,
        /// The nearest names that exist.
        nearest: Vec<String>,
    },
    /// A policy can not be used.
    #[error("{}: {why}", path.display())]
    BadPolicy {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        why: String,
    },
    /// No runtime was named, and none follows.
    #[error("which runtime? {why}")]
    RuntimeUnclear {
        /// What was found.
        why: String,
    },
    /// The peer's folder can not be used.
    #[error("the folder {} {why}", path.display())]
    BadCwd {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The peer's command can not be run.
    #[error("the command {command:?} {why}")]
    BadCommand {
        /// Its first word.
        command: String,
        /// What is wrong with it.
        why: String,
    },
    /// An argument is wrong in itself.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do.
        hint: String,
    },
    /// The peer is in a state in which this can not be done.
    #[error("{identity} is {phase}")]
    WrongPhase {
        /// Which peer.
        identity: Identity,
        /// Its state.
        phase: String,
        /// The verb that helps.
        hint: String,
    },
    /// A later request to the same peer wants something else.
    #[error("the {what} of {identity} was overruled by a {by}")]
    Overruled {
        /// Which peer.
        identity: Identity,
        /// What was asked for: `start`, `stop`.
        what: &'static str,
        /// What was asked for later.
        by: &'static str,
    },
    /// The peer's server does not answer; it is not dead.
    #[error("the tmux server of {identity} does not answer")]
    ServerSilent {
        /// Which peer.
        identity: Identity,
    },
    /// A start failed.
    #[error("{identity} did not start: {why}")]
    StartFailed {
        /// Which peer.
        identity: Identity,
        /// At which step, and what happened.
        why: String,
    },
    /// A wait ran out.
    #[error("{what} took longer than {after:?}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        after: Duration,
    },
    /// Too much is in flight.
    #[error("busy: {what}")]
    Busy {
        /// What is full.
        what: String,
    },
    /// A store can not serve now; the fleet tries again by itself.
    #[error("{store} is unavailable: {why}")]
    Unavailable {
        /// Which store.
        store: &'static str,
        /// Why.
        why: String,
    },
    /// The fleet is shutting down.
    #[error("the fleet is shutting down")]
    ShuttingDown,
    /// A file operation failed.
    #[error("can not {op} {}", path.display())]
    Io {
        /// What was tried: `write`, `create`, `read`.
        op: &'static str,
        /// On what.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: Arc<io::Error>,
    },
    /// A file does not hold what it should.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        why: String,
        /// What to do.
        hint: String,
    },
    /// tmux is not installed.
    #[error("tmux is not installed")]
    TmuxMissing,
    /// tmux is too old.
    #[error("tmux {found} is too old: 3.2 or later is needed")]
    TmuxTooOld {
        /// The version that was found.
        found: String,
    },
    /// The helper is not there.
    #[error("coalmine-helper was not found")]
    HelperMissing {
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// The helper is of another version.
    #[error("coalmine-helper at {} has version {found}, not {wanted}", path.display())]
    HelperVersion {
        /// Which helper.
        path: PathBuf,
        /// Its version.
        found: String,
        /// Ours.
        wanted: String,
    },
    /// A program does not say which version it is.
    #[error("{} does not say its version within {after:?}", path.display())]
    ProgramSilent {
        /// Which program.
        path: PathBuf,
        /// How long was waited.
        after: Duration,
    },
    /// Another process runs this fleet.
    #[error("the fleet in {} is held by {holder}", root.display())]
    Held {
        /// The state root.
        root: PathBuf,
        /// Who: `pid 4242 (coalmine)`.
        holder: String,
    },
    /// Somebody who can not be proved to be ours holds the lock of an identity.
    #[error("the lock of {identity} is held by {holder}")]
    LockHeld {
        /// Whose lock.
        identity: Identity,
        /// Who: `pid 4242 (tmux)`.
        holder: String,
    },
    /// The configuration is wrong.
    #[error("{}: {why}", path.display())]
    BadConfig {
        /// Which file.
        path: PathBuf,
        /// Where and what.
        why: String,
    },
    /// A folder that must be private is not.
    #[error("{} {why}", path.display())]
    Unsafe {
        /// Which path.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// This host can not do what was asked for.
    #[error("unsupported: {what}")]
    Unsupported {
        /// What, and why not.
        what: String,
        /// What to do.
        hint: String,
    },
    /// What the attachments refuse.
    #[error(transparent)]
    Attachment(#[from] crate::attachments::AttachmentError),
    /// What an effect fails with.
    #[error(transparent)]
    Effect(#[from] crate::effects::EffectError),
    /// What the memory refuses.
    #[error(transparent)]
    Memory(#[from] crate::memory::MemoryError),
    /// What the provisioner refuses.
    #[error(transparent)]
    Provision(#[from] crate::provisioner::ProvisionError),
    /// A fault of ours.
    #[error("internal fault: {0}")]
    Internal(String),
}

impl FleetError {
    /// A failed file operation.
    pub fn io(op: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { op, path: path.into(), source: Arc::new(source) }
    }

    /// The class of the failure.
    pub fn kind(&self) -> Kind {
        use FleetError as E;
        match self {
            E::BadName(_)
            | E::NameTaken { .. }
            | E::UnknownRuntime { .. }
            | E::RuntimeUnclear { .. }
            | E::UnknownPolicy { .. }
            | E::BadCwd { .. }
            | E::BadCommand { .. }
            | E::Usage { .. } => Kind::Usage,
            E::UnknownPeer { .. } => Kind::NotFound,
            E::ServerSilent { .. } | E::TimedOut { .. } => Kind::TimedOut,
            E::Busy { .. } | E::Unavailable { .. } | E::Held { .. } | E::LockHeld { .. } | E::Overruled { .. } => {
                Kind::Held
            }
            E::ShuttingDown => Kind::Unreachable,
            E::BadConfig { .. } | E::BadPolicy { .. } | E::Damaged { .. } => Kind::Config,
            E::Attachment(error) => error.kind(),
            E::Effect(error) => error.kind(),
            E::Memory(error) => error.kind(),
            E::Provision(error) => error.kind(),
            E::WrongPhase { .. }
            | E::StartFailed { .. }
            | E::Io { .. }
            | E::TmuxMissing
            | E::TmuxTooOld { .. }
            | E::HelperMissing { .. }
            | E::HelperVersion { .. }
            | E::ProgramSilent { .. }
            | E::Unsafe { .. }
            | E::Unsupported { .. }
            | E::Internal(_) => Kind::Failed,
        }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        use FleetError as E;
        match self {
            E::BadName(_) => "bad-name",
            E::NameTaken { .. } => "name-taken",
            E::UnknownPeer { .. } => "unknown-peer",
            E::UnknownRuntime { .. } => "unknown-runtime",
            E::RuntimeUnclear { .. } => "runtime-unclear",
            E::UnknownPolicy { .. } => "unknown-policy",
            E::BadPolicy { .. } => "bad-policy",
            E::BadCwd { .. } => "bad-cwd",
            E::BadCommand { .. } => "bad-command",
            E::Usage { .. } => "usage",
            E::WrongPhase { .. } => "wrong-phase",
            E::Overruled { .. } => "overruled",
            E::ServerSilent { .. } => "server-silent",
            E::StartFailed { .. } => "start-failed",
            E::TimedOut { .. } => "timed-out",
            E::Busy { .. } => "busy",
            E::Unavailable { .. } => "unavailable",
            E::ShuttingDown => "shutting-down",
            E::Io { .. } => "io",
            E::Damaged { .. } => "damaged",
            E::TmuxMissing => "tmux-missing",
            E::TmuxTooOld { .. } => "tmux-too-old",
            E::HelperMissing { .. } => "helper-missing",
            E::HelperVersion { .. } => "helper-version",
            E::ProgramSilent { .. } => "program-silent",
            E::Held { .. } => "held",
            E::LockHeld { .. } => "lock-held",
            E::BadConfig { .. } => "bad-config",
            E::Unsafe { .. } => "unsafe-path",
            E::Unsupported { .. } => "unsupported",
            E::Attachment(error) => error.code(),
            E::Effect(error) => error.code(),
            E::Memory(error) => error.code(),
            E::Provision(error) => error.code(),
            E::Internal(_) => "internal",
        }
    }

    /// What to do about it; empty where nothing helps.
    pub fn hint(&self) -> String {
        use FleetError as E;
        match self {
            E::BadName(BadName { kind: "runtime", .. }) => {
                "use a-z and 0-9, a letter first, at most 32 characters".into()
            }
            E::BadName(_) => "use a-z, 0-9 and dashes, a letter first, at most 32 characters".into(),
            E::NameTaken { .. } => "choose another name, or `coalmine remove` the peer that has it".into(),
            E::UnknownPeer { nearest, .. } if nearest.is_empty() => "`coalmine list` shows the peers".into(),
            E::UnknownPeer { nearest, .. } => format!("did you mean {}?", nearest.join(" or ")),
            E::UnknownRuntime { known, .. } => {
                format!("use one of {}, or define it under [runtime.NAME] in config.toml", known.join(", "))
            }
            E::UnknownPolicy { nearest, .. } if nearest.is_empty() => {
                "policies lie in the state folder as policies/NAME.toml; `none` is the one without a file".into()
            }
            E::UnknownPolicy { nearest, .. } => format!("did you mean {}?", nearest.join(" or ")),
            E::BadPolicy { .. } => "correct the file; `coalmine policy check FILE` says when it is right".into(),
            E::RuntimeUnclear { .. } => "add --runtime NAME, or `-- COMMAND` for any terminal program".into(),
            E::BadCwd { .. } => "give a folder that exists and that you may enter, with --cwd DIR".into(),
            E::BadCommand { .. } => "give a program that is in PATH, or its absolute path".into(),
            E::Usage { hint, .. }
            | E::WrongPhase { hint, .. }
            | E::Damaged { hint, .. }
            | E::Unsupported { hint, .. } => hint.clone(),
            E::Overruled { identity, .. } => format!("`coalmine show {identity}` says how it is now; then ask again"),
            E::ServerSilent { identity } => {
                format!("nothing was killed; `coalmine show {identity}` says when it answers again")
            }
            E::StartFailed { identity, .. } => format!("`coalmine logs {identity}` shows its last output"),
            E::TimedOut { .. } => "try again, or give a longer --timeout".into(),
            E::Busy { .. } => "try again in a moment".into(),
            E::Unavailable { .. } => "the fleet tries again by itself; `coalmine status` says when it is back".into(),
            E::ShuttingDown => "start it again with `coalmine up -d`".into(),
            E::Io { source, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "check who owns it and how it is mounted, or choose another place with --root DIR".into()
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some space; nothing was lost".into(),
                _ => "`coalmine doctor` checks the state folder".into(),
            },
            E::TmuxMissing => "install it: `apt-get install tmux`, `dnf install tmux` or `pacman -S tmux`".into(),
            E::TmuxTooOld { .. } => "install a newer tmux from your distribution's backports".into(),
            E::HelperMissing { looked } => format!(
                "build it with `cargo build --release`, put it beside `coalmine` or in PATH, or name it with \
                 Fleet::builder().helper(path); looked at {}",
                looked.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
            ),
            E::HelperVersion { .. } => "install `coalmine` and `coalmine-helper` from the same build".into(),
            E::ProgramSilent { path, .. } => format!("put one that works in its place; `{}` hangs", path.display()),
            E::Held { .. } => "use that daemon, or stop it with `coalmine down`".into(),
            E::LockHeld { identity, .. } => {
                format!("end that process, or wait until it ends; then `coalmine start {identity}`")
            }
            E::BadConfig { .. } => "correct the file; what ran goes on as it was".into(),
            E::Unsafe { .. } => "make it a folder of yours with mode 0700, not a link".into(),
            E::Attachment(error) => error.hint(),
            E::Effect(error) => error.hint(),
            E::Memory(error) => error.hint(),
            E::Provision(error) => error.hint(),
            E::Internal(_) => "please report this with the last lines of `coalmine events`".into(),
        }
    }

    /// Whether the same request may succeed later without a change.
    pub fn retryable(&self) -> bool {
        matches!(self.kind(), Kind::TimedOut | Kind::Held | Kind::Unreachable)
    }

    /// The message with its causes, once each: `can not write /x: No space left on device`.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
