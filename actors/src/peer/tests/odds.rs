//! Messages that are late, silent servers, lost sockets.

use super::lab::{Lab, lab, up};

/// Nothing is decided, and nothing remembered but the time.
#[track_caller]
fn changes_nothing(make: impl Fn() -> Lab, stale: &str) {
    let mut lab = make();
    let before = format!("{:?}", lab.state);
    let phase = lab.phase();
    lab.check(&[(stale, &phase)]);
    assert_eq!(format!("{:?}", lab.state), before, "after {stale}");
}

const REPORTS: [&str; 21] = [
    "server",
    "start-failed",
    "lock-held",
    "canary",
    "canary-failed",
    "canary-died",
    "session",
    "ready",
    "died",
    "ended",
    "already-dead",
    "end-failed",
    "swept",
    "settled",
    "owed",
    "silent",
    "answers",
    "due",
    "attention",
    "exit",
    "found",
];

fn report(word: &str, generation: u64) -> String {
    let rest = match word {
        "attention" => " trust",
        "exit" => " 3",
        "found" => " open",
        _ => "",
    };
    format!("{word} {generation}{rest}")
}

#[test]
fn a_report_of_another_life_changes_nothing() {
    let second = || {
        let mut lab = up();
        lab.run("restart; ended 1; server 2; canary 2; session 2; ready 2");
        lab
    };
    let stopped = || {
        let mut lab = up();
        lab.run("stop; ended 1");
        lab
    };
    for word in REPORTS {
        for generation in [0, 1, 3] {
            changes_nothing(second, &report(word, generation));
        }
        changes_nothing(stopped, &report(word, 1));
        changes_nothing(lab, &report(word, 1));
    }
}

#[test]
fn a_report_of_a_step_that_is_not_under_way_changes_nothing() {
    for word in ["server", "start-failed", "canary", "canary-failed", "session", "ended", "already-dead", "swept"] {
        changes_nothing(up, &report(word, 1));
    }
    changes_nothing(up, "settled 1");
    changes_nothing(up, "owed 1");
}

#[test]
fn a_silent_server_is_neither_alive_nor_dead_and_the_mark_clears_by_itself() {
    let mut lab = up();
    lab.check(&[("silent 1", "probe 1 => up"), ("silent 1", "up")]);
    assert!(lab.state.live().unwrap().unreachable);
    lab.check(&[("answers 1", "look 1 => up"), ("answers 1", "up"), ("seen 1 open", "up")]);
    assert!(!lab.state.live().unwrap().unreachable);
    assert_eq!(lab.told[3..], ["unreachable", "reachable"]);
}

#[test]
fn what_a_silent_server_did_meanwhile_is_noticed_when_it_answers() {
    let back = || {
        let mut lab = up();
        lab.run("silent 1; answers 1");
        lab
    };
    back().check(&[("seen 1 missing", "save, end 1 session-exit => stopping")]);
    back().check(&[("seen 1 0", "save, end 1 session-exit => stopping")]);
    back().check(&[("seen 1 silent", "probe 1 => up")]);
}

#[test]
fn a_server_that_is_silent_when_its_session_is_asked_for_has_not_failed_to_boot() {
    let silent = || {
        let mut lab = lab();
        lab.run("start; server 1; canary 1").check(&[("silent-session 1", "probe 1 => starting")]);
        lab
    };
    silent().check(&[("answers 1", "look 1 => starting"), ("seen 1 missing", "open 1 => starting")]);
    silent().run("answers 1").check(&[("seen 1 open", "watch 1 => starting"), ("ready 1", "save => up")]);
    silent().run("answers 1").check(&[("seen 1 3", "save, end 1 session-exit => stopping")]);
    silent().check(&[("stop", "answer 1 was=starting, save, end 1 stop => stopping")]);
    assert!(silent().state.file.deaths_boot_ms.is_empty());
    // A stop that waited for the session waits no longer.
    let mut stopped = lab();
    stopped.run("start; server 1; canary 1; stop");
    stopped.check(&[("silent-session 1", "save, end 1 stop => stopping")]);
}

#[test]
fn a_silent_server_may_be_stopped_and_may_die() {
    up().run("silent 1").check(&[("stop", "answer 1 was=up, save, end 1 stop => stopping")]);
    up().run("silent 1").check(&[("died 1", "settle 1 signal:9, sweep 1, save => backoff")]);
}

#[test]
fn a_lost_socket_is_healed_while_a_server_lives_that_is_not_being_ended() {
    up().check(&[("socket-lost", "heal 1 => up")]);
    lab().check(&[("socket-lost", "asleep")]);
    lab().run("start").check(&[("socket-lost", "starting")]);
    up().run("stop").check(&[("socket-lost", "stopping")]);
    up().run("died 1").check(&[("socket-lost", "backoff")]);
}
