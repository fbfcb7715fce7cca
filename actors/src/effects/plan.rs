//! What a decision hands over: the capability that was checked, so that whoever acts decides nothing again.

use super::{
    argument::Handler,
    handles::HandleKind,
    origin::Target,
    policy::{Access, McpGrant},
    program::ProgramGrant,
    rule::Rule,
};
use std::{net::IpAddr, path::PathBuf};

/// What [`decide`](super::decide::decide) says of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It may happen, in this way and in no other; which rule allowed it.
    Allow(Plan, Rule),
    /// It may not.
    Deny(Rule),
}

impl Decision {
    /// What decided.
    pub fn rule(&self) -> &Rule {
        match self {
            Self::Allow(_, rule) | Self::Deny(rule) => rule,
        }
    }

    /// Whether it may happen.
    pub fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(..))
    }
}

/// A place beneath a granted root. Whoever opens it does so beneath that root's handle, and compares no names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beneath {
    /// Of which list of the policy.
    pub access: Access,
    /// Which of its roots: an index into [`Policy::roots`](super::policy::Policy::roots).
    pub root: usize,
    /// The rest of the path, relative; empty for the root itself.
    pub path: PathBuf,
}

/// How a program is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramPlan {
    /// Its name in the policy.
    pub name: String,
    /// What the policy says of it.
    pub grant: ProgramGrant,
    /// Where it runs, where the caller says.
    pub cwd: Option<Beneath>,
}

/// Which tool server is called, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct McpPlan {
    /// Its name in the policy.
    pub name: String,
    /// What the policy says of it.
    pub grant: McpGrant,
}

/// How a request that is allowed is carried out.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// It needs nothing that was checked: time, chance, the session's own sink and log.
    Plain,
    /// On this file or folder.
    File(Beneath),
    /// From one file to another one.
    Copy {
        /// What is read.
        from: Beneath,
        /// What is written.
        to: Beneath,
    },
    /// What fits a pattern.
    Glob {
        /// The folder from which on the pattern stands.
        within: Beneath,
        /// The pattern, relative to it.
        pattern: PathBuf,
    },
    /// This program.
    Program(Box<ProgramPlan>),
    /// Something that the session holds.
    Handle(HandleKind),
    /// A connection to this place.
    Connect {
        /// Where.
        target: Box<Target>,
        /// The address, where a rule names it and so allows what addresses of its kind are otherwise refused for.
        named: Option<IpAddr>,
    },
    /// A server at this address.
    Listen {
        /// Where.
        address: IpAddr,
        /// Certificate and key.
        tls: Option<Box<(Beneath, Beneath)>>,
        /// The program that answers, where one does.
        program: Option<Box<ProgramPlan>>,
    },
    /// A store: in this file, or the session's own.
    Store(Option<Beneath>),
    /// This tool server.
    Mcp(Box<McpPlan>),
    /// The provider of this name.
    Llm(String),
    /// A message to a peer.
    A2a(String),
}

impl Plan {
    /// The program that it would run, for whoever runs it.
    pub fn program(&self) -> Option<&ProgramPlan> {
        match self {
            Self::Program(program) => Some(program),
            Self::Listen { program, .. } => program.as_deref(),
            _ => None,
        }
    }

    /// Who answers at a server is not always a program.
    pub(super) fn answers_by_program(handler: &Handler) -> Option<&str> {
        match handler {
            Handler::Program(name) => Some(&name.0),
            Handler::Function(_) | Handler::Peer(_) => None,
        }
    }
}
