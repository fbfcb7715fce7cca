use super::*;
use crate::fleet::goal::tests::view;

fn death(generation: u64, status: &str) -> Death {
    Death {
        ts: Timestamp::UNIX_EPOCH,
        ev: "server-exit".into(),
        identity: "shell-bob".parse().unwrap(),
        generation: coalmine_actors::names::Generation(generation),
        status: status.into(),
        daemon_status: None,
        cause: "killed".into(),
        witness: "canary".into(),
        up_s: Some(5),
        forensics: None,
        more: vec![],
    }
}

fn explained(peer: PeerView, last_death: Option<Death>) -> Explanation {
    explain(peer, last_death, "1970-01-01T00:03:00Z".parse().unwrap())
}

#[test]
fn every_state_says_why_it_is_what_comes_and_what_to_type() {
    use PhaseName::{Asleep, Backoff, Blocked, NeedsAttention, Quarantined, Starting, Stopped, Stopping, Up};
    for (phase, generation, detail, why, next, command) in [
        (Asleep, 0, "", "it has never been started", "nothing", "coalmine start shell-bob"),
        (Asleep, 2, "", "it sleeps until", "nothing", "coalmine start shell-bob"),
        (Starting, 1, "", "being started", "it is up once", "coalmine wait shell-bob --for up"),
        (Up, 1, "", "it runs, and its program is ready", "it runs on; after a death", "coalmine attach shell-bob"),
        (NeedsAttention, 1, "sign-in", "waits for a person: sign-in", "it runs on", "coalmine attach shell-bob"),
        (NeedsAttention, 1, "slow", "boot deadline passed", "it runs on", "coalmine attach shell-bob"),
        (Stopping, 1, "", "being ended on purpose", "its server ends", "coalmine wait shell-bob --for dead"),
        (Stopped, 1, "", "it was ended on purpose", "nothing", "coalmine start shell-bob"),
        (Stopped, 1, "reset", "were forgiven", "nothing", "coalmine start shell-bob"),
        (Backoff, 1, "tries again in 3 s: no space", "tries again in 3 s: no space", "by itself", "coalmine logs"),
        (Quarantined, 6, "", "it died too often too fast", "until somebody resets it", "coalmine logs shell-bob"),
        (Blocked, 1, "the lock is held", "the lock is held", "until what is in the way", "coalmine doctor"),
    ] {
        let got = explained(PeerView { detail: detail.into(), ..view(phase, generation) }, None);
        assert!(got.why.contains(why), "{phase}: {}", got.why);
        assert!(got.next.contains(next), "{phase}: {}", got.next);
        assert!(got.run[0].command.starts_with(command), "{phase}: {:?}", got.run);
    }
}

#[test]
fn the_death_of_this_life_is_the_reason_and_that_of_another_is_not() {
    let stopped = view(PhaseName::Stopped, 3);
    let got = explained(stopped.clone(), Some(death(3, "signal:9")));
    assert_eq!(
        got.why,
        "its server ended 3m ago with SIGKILL (killed, seen by its canary), and it is not started again"
    );
    assert_eq!(explained(stopped, Some(death(2, "signal:9"))).why, "it was ended on purpose");
    let unseen = Death { daemon_status: Some("signal:11".into()), ..death(3, "unknown") };
    assert!(explained(view(PhaseName::Quarantined, 3), Some(unseen)).why.contains("with SIGSEGV"));
}

#[test]
fn a_budget_counts_down_to_the_death_that_is_one_too_many() {
    let mut peer = PeerView { deaths_recent: 5, ..view(PhaseName::Up, 6) };
    let got = explained(peer.clone(), None);
    assert_eq!(got.budget.unwrap().words(), "5 of 5 deaths within 5m; 0 left");
    assert!(got.next.contains("it is quarantined: its budget is spent"), "{}", got.next);
    peer.restart = RestartPolicy::Never;
    let never = explained(peer, None);
    assert_eq!((never.budget, never.next.contains("stays down")), (None, true));
}

#[test]
fn what_else_is_wrong_is_told_beside_the_state() {
    let peer = PeerView { unreachable: true, unwatched: true, records_owed: 1, ..view(PhaseName::Up, 1) };
    let got = explained(peer, None);
    assert_eq!(got.besides.len(), 3, "{:?}", got.besides);
    assert!(got.run.iter().any(|advice| advice.command == "coalmine restart shell-bob"));
}
