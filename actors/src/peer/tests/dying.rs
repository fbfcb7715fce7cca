//! Unclaimed deaths: one settlement each, and what comes after.

use super::lab::{lab, up, up_with};
use crate::peer::restart_policy::RestartPolicy::{Always, Never};

#[test]
fn a_server_that_dies_in_any_stage_is_settled_swept_and_followed_by_the_next_life() {
    let stages = ["server 1", "canary 1", "session 1", "ready 1"];
    for reached in 1..=stages.len() {
        let mut lab = lab();
        lab.run("start").run(&stages[..reached].join("; "));
        lab.check(&[("died 1", "settle 1 signal:9, sweep 1, save => backoff"), ("swept 1", "start 2 => starting")]);
        assert_eq!(lab.lives(), [1, 2], "the old life stays until its death is settled");
        lab.check(&[("settled 1", "save => starting")]);
        assert_eq!((lab.lives(), lab.state.file.restarts, lab.state.file.deaths_boot_ms.len()), (vec![2], 1, 1));
    }
}

#[test]
fn a_record_may_be_settled_before_or_after_the_sweep() {
    let mut lab = up();
    lab.check(&[
        ("died 1", "settle 1 signal:9, sweep 1, save => backoff"),
        ("settled 1", "save => backoff"),
        ("swept 1", "start 2 => starting"),
    ]);
    assert_eq!(lab.lives(), [2]);
}

#[test]
fn canary_and_server_may_be_killed_in_either_order() {
    let died = ("died 1", "settle 1 signal:9, sweep 1, save => backoff");
    up().check(&[("canary-died 1", "arm 1 => up"), died, ("canary 1", "backoff"), ("swept 1", "start 2 => starting")]);
    up().check(&[died, ("canary-died 1", "backoff"), ("swept 1", "start 2 => starting")]);
}

#[test]
fn a_start_during_the_sweep_waits_for_it() {
    up().run("died 1").check(&[("start", "answer 2 was=backoff, save => backoff"), ("swept 1", "start 2 => starting")]);
    up().run("died 1; stop")
        .check(&[("start", "answer 2 was=stopped, save => backoff"), ("swept 1", "start 2 => starting")]);
}

#[test]
fn the_policy_never_records_and_stays_down() {
    let mut lab = up_with(Never);
    lab.check(&[
        ("died 1", "settle 1 signal:9, sweep 1, save => stopped"),
        ("swept 1", "save => stopped"),
        ("start", "answer 2 was=stopped, start 2 => starting"),
    ]);
    assert_eq!(lab.state.file.restarts, 0);
}

#[test]
fn the_policy_always_starts_again_after_a_death() {
    up_with(Always).run("died 1").check(&[("swept 1", "start 2 => starting")]);
}

#[test]
fn a_record_that_can_not_be_written_is_owed_told_once_and_paid() {
    let mut lab = up();
    lab.run("died 1; swept 1; owed 1; owed 1; owed 1");
    assert_eq!((lab.state.owed.len(), lab.lives()), (1, vec![1, 2]));
    assert_eq!(lab.told.iter().filter(|word| *word == "record-owed").count(), 1);
    lab.run("settled 1");
    assert_eq!((lab.state.owed.len(), lab.lives()), (0, vec![2]));
    lab.run("owed 1");
    assert!(lab.state.owed.is_empty(), "that was stale");
}
