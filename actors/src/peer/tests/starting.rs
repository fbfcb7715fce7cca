//! The way up.

use super::lab::{lab, up};
use crate::peer::phase::Phase;

#[test]
fn a_start_goes_one_step_at_a_time_and_each_is_reported_before_the_next() {
    let mut lab = lab();
    lab.check(&[
        ("start", "answer 1 was=asleep, start 1 => starting"),
        ("server 1", "save, arm 1 => starting"),
        ("canary 1", "save, open 1 => starting"),
        ("session 1", "watch 1 => starting"),
        ("ready 1", "save => up"),
    ]);
    assert_eq!(lab.told, ["starting", "canary", "up"]);
}

#[test]
fn a_start_of_what_is_up_or_comes_up_changes_nothing() {
    up().check(&[("start", "answer 1 was=up => up")]);
    lab().run("start").check(&[("start", "answer 1 was=starting => starting")]);
}

#[test]
fn a_restart_of_what_is_down_is_a_start() {
    lab().check(&[("restart", "answer 1 was=asleep, start 1 => starting")]);
}

#[test]
fn a_program_that_waits_for_a_person_is_not_up_and_may_become_so() {
    let mut lab = lab();
    lab.run("start; server 1; canary 1; session 1").check(&[
        ("attention 1 sign-in", "save => needs-attention"),
        ("attention 1 sign-in", "needs-attention"),
        ("attention 1 trust", "save => needs-attention"),
        ("wait 3600000", "needs-attention"),
        ("ready 1", "save => up"),
        ("attention 1 trust", "up"),
    ]);
    assert_eq!(lab.state.note, "");
}

#[test]
fn a_program_that_is_ready_before_its_session_is_reported_is_heard() {
    lab().run("start; server 1; canary 1").check(&[("ready 1", "starting"), ("session 1", "watch 1, save => up")]);
}

#[test]
fn a_start_that_starts_nothing_is_tried_again_later_each_time_and_not_counted() {
    let mut lab = lab();
    lab.run("start");
    for (attempt, wait) in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000].into_iter().enumerate() {
        let g = attempt + 1;
        let failed = format!("wake +{wait}, save => backoff");
        lab.check(&[(&format!("start-failed {g}"), &failed)]);
        assert_eq!((lab.lives().len(), lab.state.file.deaths_boot_ms.len()), (0, 0));
        let again = format!("start {} => starting", g + 1);
        lab.run(&format!("wait {wait}")).check(&[("due", &again)]);
    }
    lab.run("server 9; died 9; swept 9; start-failed 10");
    assert!(matches!(lab.state.phase, Phase::Backoff { until_boot_ms } if until_boot_ms == lab.now_ms + 1_000));
}

#[test]
fn only_a_lock_that_somebody_holds_blocks() {
    for passing in ["busy 1", "disk-full 1", "start-failed 1"] {
        lab().run("start").check(&[(passing, "wake +1000, save => backoff")]);
    }
    lab().run("start").check(&[
        ("lock-held 1", "save => blocked"),
        ("start", "answer 2 was=blocked, start 2 => starting"),
        ("lock-held 2", "save => blocked"),
        ("stop", "answer 2 was=blocked, save => stopped"),
    ]);
}

#[test]
fn a_failed_session_ends_its_server_and_counts() {
    let mut lab = lab();
    lab.run("start; server 1; canary 1")
        .check(&[("start-failed 1", "save, end 1 boot-failed => stopping"), ("ended 1", "start 2 => starting")]);
    assert_eq!((lab.lives(), lab.state.file.deaths_boot_ms.len()), (vec![2], 1));
}

#[test]
fn a_wait_that_was_overtaken_by_a_request_is_stale() {
    let mut lab = lab();
    lab.run("start; start-failed 1").check(&[
        ("stop", "answer 1 was=backoff, save => stopped"),
        ("due", "stopped"),
        ("start", "answer 2 was=stopped, start 2 => starting"),
        ("due", "starting"),
    ]);
}
