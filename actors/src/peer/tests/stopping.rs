//! Ends on purpose, at every moment, and what overtakes them.

use super::lab::{lab, up};

#[test]
fn a_stop_is_claimed_and_ends_in_stopped() {
    let mut lab = up();
    lab.check(&[
        ("stop", "answer 1 was=up, save, end 1 stop => stopping"),
        ("canary-died 1", "stopping"),
        ("died 1", "stopping"),
        ("ended 1", "save => stopped"),
    ]);
    assert!(lab.state.at_rest());
    assert_eq!(lab.told[3..], ["stopping", "ended", "stopped"]);
}

#[test]
fn the_death_of_a_server_after_the_report_of_its_end_is_stale() {
    up().run("stop; ended 1").check(&[("canary-died 1", "stopped"), ("died 1", "stopped")]);
}

#[test]
fn a_stop_during_the_start_waits_for_the_step_that_is_under_way() {
    let answer = "answer 1 was=starting, save => starting";
    let end = "end 1 stop => stopping";
    lab().run("start").check(&[
        ("stop", answer),
        ("server 1", "save, arm 1 => starting"),
        ("canary 1", &format!("save, save, {end}")),
        ("ended 1", "save => stopped"),
    ]);
    lab().run("start; server 1").check(&[
        ("stop", answer),
        ("canary-failed 1", &format!("save, {end}")),
        ("ended 1", "save => stopped"),
    ]);
    lab().run("start; server 1; canary 1").check(&[
        ("stop", answer),
        ("session 1", &format!("save, {end}")),
        ("ended 1", "save => stopped"),
    ]);
    lab().run("start; server 1; canary 1; session 1").check(&[
        ("stop", &format!("answer 1 was=starting, save, {end}")),
        ("ready 1", "stopping"),
        ("ended 1", "save => stopped"),
    ]);
    lab()
        .run("start; server 1; canary 1; session 1; attention 1 trust")
        .check(&[("stop", &format!("answer 1 was=needs-attention, save, {end}")), ("ended 1", "save => stopped")]);
}

#[test]
fn a_stop_that_waits_is_carried_out_when_the_step_fails() {
    let mut nothing = lab();
    nothing.run("start; stop").check(&[("start-failed 1", "save => stopped")]);
    assert!(nothing.state.at_rest());
    lab().run("start; stop").check(&[("lock-held 1", "save => stopped")]);
    let mut session = lab();
    session
        .run("start; server 1; canary 1; stop")
        .check(&[("start-failed 1", "save, end 1 stop => stopping"), ("ended 1", "save => stopped")]);
    assert!(session.state.file.deaths_boot_ms.is_empty(), "it was meant to end");
}

#[test]
fn a_stop_wins_over_every_plan_to_start_again() {
    up().run("died 1").check(&[("stop", "answer 1 was=backoff, save => stopped"), ("swept 1", "save => stopped")]);
    up().run("restart").check(&[("stop", "answer 1 was=stopping, save => stopping"), ("ended 1", "save => stopped")]);
}

#[test]
fn a_start_during_a_stop_begins_the_next_life_when_this_one_has_ended() {
    let mut lab = up();
    lab.run("stop").check(&[("start", "answer 2 was=stopping, save => stopping"), ("ended 1", "start 2 => starting")]);
    let mut waiting = super::lab::lab();
    waiting.run("start; stop").check(&[
        ("start", "answer 2 was=starting, save => starting"),
        ("server 1", "save, arm 1 => starting"),
        ("canary 1", "save, save, end 1 stop => stopping"),
        ("ended 1", "start 2 => starting"),
    ]);
}

#[test]
fn a_restart_ends_this_life_and_begins_the_next() {
    up().check(&[("restart", "answer 2 was=up, save, end 1 restart => stopping"), ("ended 1", "start 2 => starting")]);
    lab().run("start").check(&[
        ("restart", "answer 2 was=starting, save => starting"),
        ("server 1", "save, arm 1 => starting"),
        ("canary 1", "save, save, end 1 restart => stopping"),
        ("ended 1", "start 2 => starting"),
    ]);
}

#[test]
fn a_server_that_was_dead_before_the_claim_is_recorded_and_not_counted() {
    for (order, end) in [("already-dead 1", "unknown"), ("died 1; already-dead 1", "signal:9")] {
        let mut lab = up();
        lab.run("stop");
        let (first, last) = order.rsplit_once("; ").unwrap_or(("wait 0", order));
        let settled = format!("settle 1 {end}, sweep 1, save => stopped");
        lab.run(first).check(&[(last, &settled), ("died 1", "stopped"), ("swept 1", "save => stopped")]);
        assert!(lab.state.file.deaths_boot_ms.is_empty());
        assert!(!lab.state.at_rest(), "its record is not settled");
        lab.run("settled 1");
        assert!(lab.state.at_rest());
    }
}

#[test]
fn a_death_while_a_stop_waits_is_recorded_and_not_counted() {
    let mut lab = lab();
    lab.run("start; server 1; stop").check(&[
        ("died 1", "settle 1 signal:9, sweep 1, save => stopped"),
        ("canary 1", "stopped"),
        ("swept 1", "save => stopped"),
        ("settled 1", "save => stopped"),
    ]);
    assert!(lab.state.file.deaths_boot_ms.is_empty() && lab.state.at_rest());
}

#[test]
fn a_stop_that_can_not_be_claimed_kills_nothing_and_the_life_goes_on_as_it_was() {
    let failed = "save => ";
    up().run("stop")
        .check(&[("end-failed 1", &format!("{failed}up")), ("stop", "answer 1 was=up, save, end 1 stop => stopping")]);
    up().run("stop; canary-died 1").check(&[("end-failed 1", "arm 1, save => up"), ("canary 1", "save => up")]);
    lab()
        .run("start; server 1; stop; canary 1")
        .check(&[("end-failed 1", "open 1, save => starting"), ("session 1", "watch 1 => starting")]);
    lab()
        .run("start; server 1; canary 1; session 1; stop; ready 1")
        .check(&[("end-failed 1", "watch 1, save => starting"), ("ready 1", "save => up")]);
    lab()
        .run("start; server 1; canary 1; session 1; attention 1 trust; stop")
        .check(&[("end-failed 1", "watch 1, save => needs-attention")]);
    let mut adopted = up();
    adopted.run("stop; end-failed 1");
    assert_eq!(adopted.state.file.desired, crate::peer::file::Desired::Up, "the next daemon goes on with it too");
}

#[test]
fn a_server_that_died_while_its_end_failed_is_recorded() {
    up().run("stop; died 1")
        .check(&[("end-failed 1", "settle 1 signal:9, sweep 1, save => stopped"), ("swept 1", "save => stopped")]);
}

#[test]
fn an_end_that_can_not_be_claimed_is_told_to_who_waits_for_it() {
    let mut lab = up();
    lab.run("stop; end-failed 1");
    let wish = &lab.state.wish;
    assert_eq!((wish.number, wish.verb, wish.failed.is_some()), (2, "stop", true));
    // The next request begins with nothing held against it.
    lab.run("stop");
    assert_eq!((lab.state.wish.number, lab.state.wish.failed.is_some()), (3, false));
}

#[test]
fn what_is_refused_overrules_nobody() {
    let mut lab = up();
    lab.run("stop; ended 1; wake");
    assert_eq!((lab.state.wish.number, lab.state.wish.verb), (2, "stop"));
}
