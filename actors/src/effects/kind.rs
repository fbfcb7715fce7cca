//! What a policy can grant: the kinds of effects, some of them with one name that the grant is for.

use super::suggest::did_you_mean;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, sync::Arc};

/// Longest argument of a grant, bytes.
const OF_BYTES_MAX: usize = 128;

/// The class of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Lines to the session's sink.
    Io,
    /// What is in files.
    FsRead,
    /// Making, changing and removing files.
    FsWrite,
    /// Which files there are.
    FsList,
    /// The session's own log.
    Log,
    /// Where that log goes, and how.
    LogAdmin,
    /// Time, and waiting for it.
    Clock,
    /// Chance.
    Random,
    /// Variables of the daemon.
    Env,
    /// Programs.
    Proc,
    /// Connections to others.
    NetConnect,
    /// Connections from others.
    NetListen,
    /// Rooms of the session's own servers.
    Chat,
    /// Stores of keys and values.
    Kv,
    /// SQLite.
    Sql,
    /// Tools of one server: `mcp:github`.
    Mcp,
    /// One provider of a model: `llm:ollama`.
    Llm,
    /// Messages to peers; `a2a:bob` for one of them alone.
    A2a,
}

/// Whether a grant of a kind names what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// It never does.
    None,
    /// It may; without a name it is for all of them.
    Optional,
    /// It must.
    Required,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::Io,
        Self::FsRead,
        Self::FsWrite,
        Self::FsList,
        Self::Log,
        Self::LogAdmin,
        Self::Clock,
        Self::Random,
        Self::Env,
        Self::Proc,
        Self::NetConnect,
        Self::NetListen,
        Self::Chat,
        Self::Kv,
        Self::Sql,
        Self::Mcp,
        Self::Llm,
        Self::A2a,
    ];

    /// As policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::FsRead => "fs.read",
            Self::FsWrite => "fs.write",
            Self::FsList => "fs.list",
            Self::Log => "log",
            Self::LogAdmin => "log.admin",
            Self::Clock => "clock",
            Self::Random => "random",
            Self::Env => "env",
            Self::Proc => "proc",
            Self::NetConnect => "net.connect",
            Self::NetListen => "net.listen",
            Self::Chat => "chat",
            Self::Kv => "kv",
            Self::Sql => "sql",
            Self::Mcp => "mcp",
            Self::Llm => "llm",
            Self::A2a => "a2a",
        }
    }

    /// Whether its grants name what they are for.
    pub fn naming(self) -> Naming {
        match self {
            Self::Mcp | Self::Llm => Naming::Required,
            Self::A2a => Naming::Optional,
            _ => Naming::None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One grant of a policy: `fs.read`, `mcp:github`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Grant {
    kind: Kind,
    of: Option<Arc<str>>,
}

impl Grant {
    /// All of a kind whose grants need no name.
    pub fn whole(kind: Kind) -> Option<Self> {
        (kind.naming() != Naming::Required).then_some(Self { kind, of: None })
    }

    /// What is granted.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// For what alone.
    pub fn of(&self) -> Option<&str> {
        self.of.as_deref()
    }

    /// Whether it covers this kind, used for `of`. A grant with a name covers that name alone.
    pub fn covers(&self, kind: Kind, of: Option<&str>) -> bool {
        self.kind == kind && self.of.as_deref().is_none_or(|mine| of == Some(mine))
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.of {
            None => write!(f, "{}", self.kind),
            Some(of) => write!(f, "{}:{of}", self.kind),
        }
    }
}

impl FromStr for Grant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, of) = match text.split_once(':') {
            None => (text, None),
            Some((name, of)) => (name, Some(of)),
        };
        let names = Kind::ALL.map(Kind::name);
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        let kind = kind.ok_or_else(|| format!("{name:?} is no kind of effect{}", did_you_mean(name, names)))?;
        match (kind.naming(), of) {
            (Naming::None, Some(_)) => Err(format!("{text:?}: {kind} is granted as a whole; write {:?}", kind.name())),
            (Naming::Required, None) => Err(format!("{text:?} must say for what, as in \"{kind}:NAME\"")),
            (_, Some(of)) if !is_name(of) => {
                Err(format!("{text:?}: what stands behind the colon must be a name of a-z, 0-9, dash and underscore"))
            }
            (_, of) => Ok(Self { kind, of: of.map(Arc::from) }),
        }
    }
}

impl TryFrom<String> for Grant {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Grant> for String {
    fn from(grant: Grant) -> String {
        grant.to_string()
    }
}

/// A name that a policy gives to something: a program, a server, a provider.
pub fn is_name(text: &str) -> bool {
    (1..=OF_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        for kind in Kind::ALL {
            let text = if kind.naming() == Naming::Required { format!("{kind}:x") } else { kind.to_string() };
            let grant: Grant = text.parse().unwrap();
            assert_eq!((grant.kind(), grant.to_string()), (kind, text));
        }
    }

    #[test]
    fn a_grant_with_a_name_covers_that_name_alone() {
        let github: Grant = "mcp:github".parse().unwrap();
        assert!(github.covers(Kind::Mcp, Some("github")));
        assert!(!github.covers(Kind::Mcp, Some("gitlab")));
        assert!(!github.covers(Kind::Mcp, None));
        let all: Grant = "a2a".parse().unwrap();
        assert!(all.covers(Kind::A2a, Some("bob")));
    }

    #[test]
    fn a_grant_that_makes_no_sense_says_what_would() {
        for (text, said) in [
            ("fs.raed", "did you mean \"fs.read\"?"),
            ("mcp", "must say for what"),
            ("proc:git", "granted as a whole"),
            ("mcp:", "must be a name"),
            ("mcp:a b", "must be a name"),
            ("", "no kind of effect"),
        ] {
            let error = text.parse::<Grant>().unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
