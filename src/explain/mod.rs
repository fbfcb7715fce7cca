//! Why a peer is as it is, what comes next, and what to type: from the state that decides, nothing guessed. Pure.

mod advice;

pub use advice::Advice;

use crate::{
    age,
    count::counted,
    deaths::{Death, status_words},
};
use coalmine_actors::{
    peer::restart_policy::{RestartLimit, RestartPolicy},
    view::{PeerView, PhaseName},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// One identity, explained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The peer as it stands now.
    pub peer: PeerView,
    /// Why it is in its state: one sentence.
    pub why: String,
    /// What else is not as it should be, one sentence each.
    pub besides: Vec<String>,
    /// Its last death on record, whichever life it ended.
    pub last_death: Option<Death>,
    /// How many deaths it may still die; nothing where its policy never starts it again.
    pub budget: Option<Budget>,
    /// What happens without anybody's doing.
    pub next: String,
    /// What somebody can do, the likeliest first.
    pub run: Vec<Advice>,
}

/// Deaths that count, and how many a window may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Deaths within the window that ends now.
    pub deaths: usize,
    /// Most that it may hold; one more is quarantine.
    pub deaths_max: usize,
    /// How many are left before that one.
    pub deaths_left: usize,
    /// The window's length, seconds.
    pub window_s: u64,
}

/// Explains `peer`, whose last death on record is `last_death`, at `now`.
pub fn explain(peer: PeerView, last_death: Option<Death>, now: Timestamp) -> Explanation {
    let budget = budget(&peer);
    Explanation {
        why: why(&peer, last_death.as_ref(), now),
        besides: besides(&peer),
        next: next(&peer, budget, now),
        run: advice::of(&peer, last_death.is_some()),
        budget,
        last_death,
        peer,
    }
}

fn budget(peer: &PeerView) -> Option<Budget> {
    let RestartLimit { deaths_max, window_ms, .. } = peer.restart_limit;
    let deaths = peer.deaths_recent;
    let budget =
        Budget { deaths, deaths_max, deaths_left: deaths_max.saturating_sub(deaths), window_s: window_ms / 1000 };
    (peer.restart != RestartPolicy::Never).then_some(budget)
}

fn why(peer: &PeerView, last_death: Option<&Death>, now: Timestamp) -> String {
    let detail = &peer.detail;
    let because = |fixed: &str| if detail.is_empty() { fixed.to_owned() } else { format!("{fixed}: {detail}") };
    // How this very life ended, where that is on record.
    let ended = last_death.filter(|death| death.generation == peer.generation).map(|death| told(death, now));
    match (peer.phase, ended) {
        (PhaseName::Asleep, _) if peer.generation.0 == 0 => "it has never been started".into(),
        (PhaseName::Asleep, _) => because("it sleeps until something wakes it"),
        (PhaseName::Starting, _) => because("its server and its program are being started"),
        (PhaseName::Up, _) => "it runs, and its program is ready".into(),
        (PhaseName::NeedsAttention, _) if detail == "slow" => {
            "it runs, but its program was not ready when its boot deadline passed".into()
        }
        (PhaseName::NeedsAttention, _) => because("it runs, and its program waits for a person"),
        (PhaseName::Stopping, _) => because("it is being ended on purpose"),
        (PhaseName::Stopped, Some(ended)) => format!("{ended}, and it is not started again"),
        (PhaseName::Stopped, None) if detail == "reset" => "its deaths were forgiven; it was not started since".into(),
        (PhaseName::Stopped, None) => because("it was ended on purpose"),
        (PhaseName::Backoff, Some(ended)) if detail.is_empty() => format!("{ended}; its next life is on its way"),
        (PhaseName::Backoff, _) => because("no life of it runs now"),
        (PhaseName::Quarantined, Some(ended)) => format!("it died too often too fast; at last {ended}"),
        (PhaseName::Quarantined, None) => because("it died too often too fast"),
        (PhaseName::Blocked, _) => because("something that is not proved to be ours is in the way"),
    }
}

/// A death as a clause: `its server ended 3m ago with SIGKILL (killed, seen by its canary)`.
pub fn told(death: &Death, now: Timestamp) -> String {
    let whose = if death.ev == "session-exit" { "its program" } else { "its server" };
    let ago = age::since(death.ts, now);
    let status = match death.exact_status() {
        "unknown" => "in a way that nobody could see".to_owned(),
        status => format!("with {}", status_words(status)),
    };
    let witness = match death.witness.as_str() {
        "canary" => "seen by its canary",
        "daemon" => "seen by the daemon; its canary was gone too",
        "recovery" => "seen by nobody; the next daemon found out",
        _ => "told by its tmux server",
    };
    format!("{whose} ended {ago} ago {status} ({}, {witness})", death.cause)
}

fn besides(peer: &PeerView) -> Vec<String> {
    let mut besides = Vec::new();
    if peer.unreachable {
        besides.push("its tmux server lives and does not answer; nothing is killed for that".to_owned());
    }
    if peer.unwatched {
        besides.push("no canary watches it; the daemon alone would see it die".to_owned());
    }
    if peer.records_owed > 0 {
        let owed = counted(peer.records_owed, "record of its death", "records of its deaths");
        besides.push(format!("{owed} could not be written yet; that is tried again by itself"));
    }
    besides
}

fn next(peer: &PeerView, budget: Option<Budget>, now: Timestamp) -> String {
    match peer.phase {
        PhaseName::Asleep if peer.generation.0 == 0 => "nothing, until somebody starts it".into(),
        PhaseName::Asleep => "nothing, until something wakes it".into(),
        PhaseName::Starting => "it is up once it is ready as its runtime says".into(),
        PhaseName::Up | PhaseName::NeedsAttention => after_a_death(peer.restart, budget),
        PhaseName::Stopping => {
            "its server ends, what it left behind is swept, and it stays down or starts as asked".into()
        }
        PhaseName::Stopped => "nothing, until somebody starts it".into(),
        PhaseName::Backoff if peer.next_try.is_some() => {
            format!("its next life starts by itself ({}); `start` begins it at once", peer.state(now))
        }
        PhaseName::Backoff => "its next life starts by itself".into(),
        PhaseName::Quarantined => "nothing, until somebody resets it; then it still has to be started".into(),
        PhaseName::Blocked if peer.next_try.is_some() => {
            format!("it is looked at again by itself, and by whoever asks ({})", peer.state(now))
        }
        PhaseName::Blocked => "nothing, until what is in the way has gone and somebody starts it".into(),
    }
}

fn after_a_death(policy: RestartPolicy, budget: Option<Budget>) -> String {
    let what = match policy {
        RestartPolicy::Never => return "it runs on; after its death it stays down (policy never)".into(),
        RestartPolicy::OnFailure => "after a death or a failed exit",
        RestartPolicy::Always => "after a death or any exit",
    };
    match budget {
        Some(Budget { deaths_left: 0, .. }) => format!("it runs on; {what} it is quarantined: its budget is spent"),
        _ => format!("it runs on; {what} it is started again"),
    }
}

impl Budget {
    /// The budget in words.
    pub fn words(&self) -> String {
        let window = age::duration(SignedDuration::from_secs(i64::try_from(self.window_s).unwrap_or(i64::MAX)));
        format!("{} of {} deaths within {window}; {} left", self.deaths, self.deaths_max, self.deaths_left)
    }
}

#[cfg(test)]
mod tests;
