//! What somebody can type about a peer's state. Pure.

use coalmine_actors::view::{PeerView, PhaseName};
use serde::{Deserialize, Serialize};

/// A command, and what it does here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// What to type.
    pub command: String,
    /// What that does.
    pub does: String,
}

/// The likeliest first.
pub(super) fn of(peer: &PeerView, has_died: bool) -> Vec<Advice> {
    let say = |verb: &str, does: &str| Advice {
        command: format!("coalmine {}", verb.replace("NAME", peer.identity.to_string().as_str())),
        does: does.into(),
    };
    let start = || say("start NAME", "starts it");
    let logs = || say("logs NAME", "shows what its program wrote last");
    let mut advice = match peer.phase {
        PhaseName::Asleep => vec![start()],
        PhaseName::Stopped if peer.generation.0 == 0 => vec![start()],
        PhaseName::Stopped => vec![start(), logs()],
        PhaseName::Starting => vec![say("wait NAME --for up", "returns once it is up"), logs()],
        PhaseName::Up => vec![say("attach NAME", "shows its screen, live")],
        PhaseName::NeedsAttention => {
            vec![say("attach NAME", "answers its program"), say("capture NAME", "shows its screen")]
        }
        PhaseName::Stopping => vec![say("wait NAME --for dead", "returns once its server is gone")],
        PhaseName::Backoff => vec![logs(), say("stop NAME", "keeps it down")],
        PhaseName::Quarantined => {
            vec![logs(), say("reset NAME", "forgives its deaths, once the reason is mended"), start()]
        }
        PhaseName::Blocked => vec![say("doctor", "checks the host"), say("start NAME", "looks again")],
    };
    if has_died && peer.phase != PhaseName::Starting {
        advice.push(say("deaths NAME -n 1", "shows the forensics of its last death"));
    }
    if peer.unreachable {
        advice.push(say("restart NAME", "ends the silent server and starts the next life"));
    } else if peer.unwatched && peer.phase.is_live() {
        advice.push(say("restart NAME", "starts a life with a new canary"));
    }
    advice
}
