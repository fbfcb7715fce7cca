//! `wake_policy = "ephemeral"`: a life has one task, and ends when that is done. The settings.

use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// What a wake is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WakePolicy {
    /// A life takes whatever comes, until it is ended or sleeps.
    #[default]
    Persistent,
    /// A life takes one message, and ends when it has replied, or says that it is done. The next one begins afresh.
    Ephemeral,
}

impl FromStr for WakePolicy {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "persistent" => Ok(Self::Persistent),
            "ephemeral" => Ok(Self::Ephemeral),
            _ => Err("it is persistent or ephemeral"),
        }
    }
}

impl WakePolicy {
    /// Whether a life takes whatever comes.
    pub fn is_persistent(&self) -> bool {
        *self == Self::Persistent
    }
}

/// When a life that has one task ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OneTask {
    /// So long after it sent a message, where nothing more is seen of it; milliseconds.
    pub after_reply_ms: u64,
    /// After so long in which nothing was seen of it at all, milliseconds.
    pub silence_ms: u64,
}

impl Default for OneTask {
    /// 20 s, 600 s.
    fn default() -> Self {
        Self { after_reply_ms: 20_000, silence_ms: 600_000 }
    }
}
