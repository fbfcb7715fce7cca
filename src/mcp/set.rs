//! Which tools are offered.

use super::tool::Row;
use super::tools::{FleetTool, GraphTool};
use serde::{Deserialize, Serialize};

/// A set of tools; nobody is offered two at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ToolSet {
    /// The fleet's own.
    #[default]
    Fleet,
    /// The nine of the reference memory server, over the fleet's memory.
    ServerMemory,
}

impl ToolSet {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::ServerMemory => "server-memory",
        }
    }

    /// The tools that are there for everybody, whatever a policy grants.
    pub(crate) fn rows(self) -> Vec<&'static Row> {
        match self {
            Self::Fleet => FleetTool::ALL.iter().map(|tool| tool.row()).collect(),
            Self::ServerMemory => GraphTool::ALL.iter().map(|tool| tool.row()).collect(),
        }
    }

    /// What a model is told before it sees the tools.
    pub(crate) fn instructions(self) -> &'static str {
        match self {
            Self::Fleet => {
                "Coalmine's tools: send_to_peer reaches other agents by name (see peers), and their messages arrive in \
                 your terminal; inbox lists them, ack says that you have one. memory_* is one memory that the whole fleet \
                 shares: search it before you ask, add what others should know. Large or binary things travel as \
                 attachments. The other tools are effects that your policy grants. A page ends before max_tokens (4 bytes a \
                 token); pass its cursor for the next."
            }
            Self::ServerMemory => {
                "A knowledge graph of entities, observations and relations, kept in the fleet's shared memory."
            }
        }
    }
}
