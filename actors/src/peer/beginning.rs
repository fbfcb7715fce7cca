//! How a life begins: it goes on with its last conversation, or from the beginning; and why. Pure.
//!
//! A session that was ended on purpose, by sleep or by a person, is kept until another life is up (`PeerFile::resume`).
//! People always get it back. A message gets it back where its topic is one that the session had; what knows nothing of
//! the session's matter begins afresh, so that a question does not wake what was said days ago about something else.
//!
//! ```text
//!  ephemeral, or `refresh` ──────────────▶ fresh
//!  nothing kept: first life, a death ────▶ fresh
//!  the runtime has no `resume_args` ─────▶ fresh
//!  a person ─────────────────────────────▶ resume
//!  a message ── its topic is known ──────▶ resume        another topic, or none ─▶ fresh
//! ```

use super::{file::PeerFile, input::PeerRules};
use serde::{Deserialize, Serialize};

/// Topics of a session that are remembered; the one that was not heard of for longest goes.
pub const TOPICS_MAX: usize = 32;

/// Why a life is wanted; kept until one is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// A person wants it, or something that a person sent.
    ByPerson,
    /// A person wants it to begin afresh.
    Afresh,
    /// A message from no person, on this topic.
    ForMessage {
        /// What it is about.
        topic: Option<String>,
    },
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginning {
    /// It goes on with the last conversation.
    pub resumes: bool,
    /// Why, as the journal has it.
    pub because: &'static str,
}

impl Beginning {
    /// `resume`, `fresh`.
    pub fn word(self) -> &'static str {
        if self.resumes { "resume" } else { "fresh" }
    }
}

/// How the next life of this peer begins.
pub fn decide(file: &PeerFile, rules: &PeerRules) -> Beginning {
    let fresh = |because| Beginning { resumes: false, because };
    let resume = |because| Beginning { resumes: true, because };
    match &file.wanted {
        _ if rules.one_task.is_some() => fresh("ephemeral"),
        Some(Wanted::Afresh) => fresh("refresh"),
        _ if !file.resume => fresh(nothing_kept(file)),
        _ if !rules.can_resume => fresh("runtime-can-not"),
        Some(Wanted::ByPerson) => resume("person"),
        Some(Wanted::ForMessage { topic: None }) => fresh("no-topic"),
        Some(Wanted::ForMessage { topic: Some(topic) }) if file.topics.contains(topic) => resume("known-topic"),
        Some(Wanted::ForMessage { topic: Some(_) }) => fresh("other-topic"),
        // It was to come up already when its file was written by an older build.
        None => resume("as-it-was"),
    }
}

fn nothing_kept(file: &PeerFile) -> &'static str {
    match &file.last_death {
        _ if file.highest.0 == 0 => "first-life",
        Some(death) if death.generation == file.highest => "death",
        _ => "nothing-kept",
    }
}

/// Remembers what a session hears about, the latest last. Says whether anything is new.
pub fn remember(topics: &mut Vec<String>, topic: String) -> bool {
    if topics.last() == Some(&topic) {
        return false;
    }
    topics.retain(|known| *known != topic);
    topics.push(topic);
    let surplus = topics.len().saturating_sub(TOPICS_MAX);
    topics.drain(..surplus);
    true
}
