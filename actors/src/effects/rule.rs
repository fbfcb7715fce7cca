//! Why a decision is as it is: the one rule that decided, as the audit log and a refusal name it.
//!
//! A rule names places in a policy and never what stands there: whoever is refused learns nothing of what others may.

use super::{kind::Kind, scope::Found};
use serde::{Serialize, Serializer};
use std::fmt;

/// A list of a policy's `[scope]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeKey {
    /// `fs_read`
    FsRead,
    /// `fs_write`
    FsWrite,
    /// `net`
    Net,
    /// `env`
    Env,
}

impl ScopeKey {
    /// Its key in a policy.
    pub fn name(self) -> &'static str {
        match self {
            Self::FsRead => "scope.fs_read",
            Self::FsWrite => "scope.fs_write",
            Self::Net => "scope.net",
            Self::Env => "scope.env",
        }
    }
}

/// What is never granted, whatever a policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Never {
    /// The fleet's own files, sockets and policies.
    FleetsOwn,
    /// Variables that hold keys and tokens.
    Secret,
    /// Variables that a loader or an interpreter obeys, from the caller.
    LoaderVariable,
    /// A granted root as a whole.
    Root,
    /// What leaves the granted root on the way.
    Escape,
    /// Statements that lead out of their database, or take its limits from it.
    Statement,
    /// A program's file that is not the one whose hash the policy names.
    OtherProgram,
    /// An address of this host or its networks, or a special one, that no rule names.
    Address,
}

/// What decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Allowed: it touches nothing.
    Pure,
    /// Allowed: the kind is granted, and reaches as far as its kind does.
    Granted(Kind),
    /// Allowed: by this place in a scope.
    Scope(ScopeKey, Found),
    /// Allowed: the program of this name.
    Program(String),
    /// Allowed: the tool server of this name.
    Mcp(String),
    /// Allowed: the provider of this name.
    Llm(String),
    /// Allowed or denied by an operation that an embedder added.
    Added(String),
    /// Denied: the kind is not granted.
    NotGranted(Kind),
    /// Denied: outside of this scope.
    Outside(ScopeKey),
    /// Denied: no program of this name is granted.
    NoProgram,
    /// Denied: no argument pattern of this program fits.
    Arguments(String),
    /// Denied: no server, provider or peer of this name is granted.
    NoName(Kind),
    /// Denied: the server is granted, and not this tool.
    NoTool(String),
    /// Denied, whatever a policy says.
    Never(Never),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pure => f.write_str("pure"),
            Self::Granted(kind) => write!(f, "allow {kind}"),
            Self::Scope(key, Found::At(index)) => write!(f, "{}[{index}]", key.name()),
            Self::Scope(key, Found::Any) => write!(f, "{} = any", key.name()),
            Self::Program(name) => write!(f, "program.{name}"),
            Self::Mcp(name) => write!(f, "mcp.{name}"),
            Self::Llm(name) => write!(f, "allow llm:{name}"),
            Self::Added(name) => write!(f, "added {name}"),
            Self::NotGranted(kind) => write!(f, "no {kind}"),
            Self::Outside(key) => write!(f, "outside {}", key.name()),
            Self::NoProgram => f.write_str("no such program"),
            Self::Arguments(name) => write!(f, "program.{name}.args"),
            Self::NoName(kind) => write!(f, "no such {kind}"),
            Self::NoTool(name) => write!(f, "mcp.{name}.tools"),
            Self::Never(never) => f.write_str(match never {
                Never::FleetsOwn => "never: the fleet's own",
                Never::Secret => "never: secrets",
                Never::LoaderVariable => "never: loader variables",
                Never::Root => "never: a granted root itself",
                Never::Escape => "never: out of its root",
                Never::Statement => "never: a statement that leads out of its database",
                Never::OtherProgram => "never: another file than the pinned one",
                Never::Address => "never: an address that is not public, unless a rule names it",
            }),
        }
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
