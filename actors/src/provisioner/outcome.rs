//! How a provider's command went: a state, and what it said. Never an error. Pure.

use crate::{
    names::{Personality, Runtime},
    ports::ProcessEnd,
};
use serde::{Deserialize, Serialize};

/// Longest text of what was said, characters.
pub const DETAIL_CHARS_MAX: usize = 400;

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It exited with status 0.
    Ok,
    /// It exited with another status, was killed by a signal, or could not be started.
    Failed,
    /// It did not end in time, and was ended.
    Timeout,
    /// There is no such program, or it may not be run.
    NotExecutable,
    /// Somebody called it off, and it was ended, or never begun.
    Cancelled,
    /// What serves the whole host was there already, or still serves others (v1.1).
    Already,
    /// The runtime's own program was not found (v1.1).
    RuntimeMissing,
    /// The peer's folder, or the runtime's own settings, could not be prepared.
    SetupFailed,
    /// The provider declares no command for this direction.
    MissingDirection,
    /// None of the peer's runtimes is an agent: nothing was run.
    SkippedNoAgenticRuntime,
}

impl State {
    /// The word, as journals write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Timeout => "timeout",
            Self::NotExecutable => "not-executable",
            Self::Cancelled => "cancelled",
            Self::Already => "already",
            Self::RuntimeMissing => "runtime-missing",
            Self::SetupFailed => "setup-failed",
            Self::MissingDirection => "missing-direction",
            Self::SkippedNoAgenticRuntime => "skipped-no-agentic-runtime",
        }
    }

    /// Whether nobody has to do anything about it.
    pub fn is_fine(self) -> bool {
        matches!(self, Self::Ok | Self::Already | Self::SkippedNoAgenticRuntime)
    }
}

/// What became of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisionOutcome {
    /// In one word.
    pub state: State,
    /// Its exit status; nothing where it did not exit by itself.
    pub exit_code: Option<i32>,
    /// The signal that ended it, by name.
    pub signal: Option<String>,
    /// What it wrote to stderr last, and what is to be known besides; at most [`DETAIL_CHARS_MAX`] characters.
    pub detail: String,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
    /// What was run; empty where nothing was.
    pub argv: Vec<String>,
    /// Processes of it that could not be ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escaped: Vec<i32>,
}

impl ProvisionOutcome {
    /// Nothing was run, and why.
    pub fn not_run(state: State, detail: impl AsRef<str>) -> Self {
        let detail = said(detail.as_ref().as_bytes(), DETAIL_CHARS_MAX);
        Self { state, exit_code: None, signal: None, detail, duration_ms: 0, argv: Vec::new(), escaped: Vec::new() }
    }

    /// It ended by itself; `stderr` is the end of what it wrote there.
    pub fn ended(argv: Vec<String>, end: ProcessEnd, signal: Option<String>, stderr: &[u8]) -> Self {
        let (state, exit_code) = match end {
            ProcessEnd::Exited(0) => (State::Ok, Some(0)),
            ProcessEnd::Exited(code) => (State::Failed, Some(code)),
            ProcessEnd::Signaled { .. } | ProcessEnd::Vanished => (State::Failed, None),
        };
        let why = match (end, &signal) {
            (ProcessEnd::Exited(_), _) => String::new(),
            (_, Some(name)) => format!("killed by {name}"),
            _ => "it ended, and nobody knows how".into(),
        };
        let mut detail = with_why(&why, stderr);
        if let (ProcessEnd::Exited(code @ 1..), true) = (end, detail.is_empty()) {
            detail = format!("it exited with status {code} and wrote nothing to stderr");
        }
        Self { state, exit_code, signal, detail, duration_ms: 0, argv, escaped: Vec::new() }
    }

    /// It was ended, and why.
    pub fn stopped(state: State, argv: Vec<String>, why: &str, stderr: &[u8], escaped: Vec<i32>) -> Self {
        let why = match escaped.as_slice() {
            [] => why.to_owned(),
            pids => {
                format!("{why}; could not be ended: {}", pids.iter().map(i32::to_string).collect::<Vec<_>>().join(", "))
            }
        };
        let detail = with_why(&why, stderr);
        Self { state, exit_code: None, signal: None, detail, duration_ms: 0, argv, escaped }
    }
}

/// Nothing was run, by a fault of ours or for want of room.
pub(super) fn failed(why: &str) -> ProvisionOutcome {
    ProvisionOutcome::not_run(State::Failed, why)
}

/// `why: what it said`, or whichever of the two there is.
fn with_why(why: &str, stderr: &[u8]) -> String {
    if why.is_empty() {
        return said(stderr, DETAIL_CHARS_MAX);
    }
    let room = DETAIL_CHARS_MAX.saturating_sub(why.chars().count() + 2);
    match (why, said(stderr, room)) {
        (why, said) if said.is_empty() => why.to_owned(),
        (why, said) => format!("{why}: {said}"),
    }
}

/// The end of what was written, trimmed, in at most so many characters, `…` in front where something is missing.
pub fn said(bytes: &[u8], chars_max: usize) -> String {
    // A tail may begin inside a character.
    let inside = bytes.iter().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count();
    let text = String::from_utf8_lossy(&bytes[inside..]);
    let text = text.trim();
    let chars = text.chars().count();
    if chars <= chars_max {
        return text.to_owned();
    }
    let kept = text.chars().skip(chars - chars_max.saturating_sub(1));
    std::iter::once('…').chain(kept).take(chars_max).collect()
}

/// What became of one of a peer's runtimes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeReport {
    /// Which runtime; nothing where the peer has none that is an agent.
    pub runtime: Option<Runtime>,
    /// How it went.
    #[serde(flatten)]
    pub outcome: ProvisionOutcome,
}

impl RuntimeReport {
    /// `claude:ok`, or `codex:failed (…)`.
    pub fn short(&self) -> String {
        let name = self.runtime.as_ref().map_or("peer", |runtime| runtime.as_str());
        let ProvisionOutcome { state, detail, .. } = &self.outcome;
        match (state.is_fine() || detail.is_empty(), state.as_str()) {
            (true, state) => format!("{name}:{state}"),
            (false, state) => format!("{name}:{state} ({detail})"),
        }
    }
}

/// What became of one peer in a sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerReport {
    /// Which peer.
    pub personality: Personality,
    /// Each of its runtimes that is an agent, in order.
    pub runtimes: Vec<RuntimeReport>,
}

impl PeerReport {
    /// Whether nobody has to do anything about it.
    pub fn is_fine(&self) -> bool {
        self.runtimes.iter().all(|report| report.outcome.state.is_fine())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_its_end_on_a_character_boundary() {
        assert_eq!(said(b"  hello\n", 400), "hello");
        let long = "ä".repeat(1_000);
        let cut = said(long.as_bytes(), 400);
        assert_eq!((cut.chars().count(), cut.chars().next()), (400, Some('…')));
        assert!(cut.ends_with('ä'));
        assert_eq!(
            said(&long.as_bytes()[1..], 2_000).chars().count(),
            999,
            "half a character in front is no character"
        );
        assert_eq!(said(b"a\xffb", 400), "a\u{fffd}b");
        assert_eq!(said(b"abc", 0), "");
    }

    #[test]
    fn an_end_is_told_with_what_was_said() {
        let argv = vec!["/bin/x".to_owned()];
        let ended = |end, signal: Option<&str>, text: &str| {
            let outcome = ProvisionOutcome::ended(argv.clone(), end, signal.map(ToOwned::to_owned), text.as_bytes());
            (outcome.state, outcome.exit_code, outcome.detail)
        };
        let killed = ProcessEnd::Signaled { signal: 9, core: false };
        for (got, state, code, detail) in [
            (ended(ProcessEnd::Exited(0), None, "fine\n"), State::Ok, Some(0), "fine"),
            (ended(ProcessEnd::Exited(3), None, "no disk"), State::Failed, Some(3), "no disk"),
            (
                ended(ProcessEnd::Exited(3), None, ""),
                State::Failed,
                Some(3),
                "it exited with status 3 and wrote nothing to stderr",
            ),
            (ended(killed, Some("SIGKILL"), ""), State::Failed, None, "killed by SIGKILL"),
            (ended(killed, Some("SIGKILL"), "oh"), State::Failed, None, "killed by SIGKILL: oh"),
        ] {
            assert_eq!(got, (state, code, detail.to_owned()));
        }
        let flood = ProvisionOutcome::stopped(State::Timeout, argv, "timed out after 300 ms", &[b'x'; 5_000], vec![7]);
        assert!(flood.detail.starts_with("timed out after 300 ms; could not be ended: 7: …xx"), "{}", flood.detail);
        assert_eq!(flood.detail.chars().count(), DETAIL_CHARS_MAX);
    }
}
