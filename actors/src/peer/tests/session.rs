//! A program that leaves: its server is ended, claimed, and the policy decides the rest.

use super::lab::{lab, up, up_with};
use crate::peer::restart_policy::RestartPolicy::{self, Always, Never, OnFailure};

#[test]
fn every_exit_under_every_policy() {
    let rows: [(RestartPolicy, &str, &str, usize); 12] = [
        (OnFailure, "0", "save => stopped", 0),
        (OnFailure, "3", "start 2 => starting", 1),
        (OnFailure, "signal", "start 2 => starting", 1),
        (OnFailure, "killed", "start 2 => starting", 1),
        (Always, "0", "start 2 => starting", 1),
        (Always, "3", "start 2 => starting", 1),
        (Always, "signal", "start 2 => starting", 1),
        (Always, "killed", "start 2 => starting", 1),
        (Never, "0", "save => stopped", 0),
        (Never, "3", "save => stopped", 1),
        (Never, "signal", "save => stopped", 1),
        (Never, "killed", "save => stopped", 1),
    ];
    for (policy, exit, after, counted) in rows {
        let mut lab = up_with(policy);
        lab.check(&[
            (&format!("exit 1 {exit}"), "save, end 1 session-exit => stopping"),
            ("died 1", "stopping"),
            ("ended 1", after),
        ]);
        assert_eq!(lab.state.file.deaths_boot_ms.len(), counted, "{policy:?} {exit}");
    }
}

#[test]
fn a_program_that_leaves_before_its_session_is_reported_is_counted_once() {
    for reported in ["session 1", "start-failed 1"] {
        let mut lab = lab();
        lab.run("start; server 1; canary 1").check(&[
            ("exit 1 3", "save => starting"),
            ("exit 1 3", "starting"),
            (reported, "save, end 1 session-exit => stopping"),
            ("ended 1", "start 2 => starting"),
        ]);
        assert_eq!(lab.state.file.deaths_boot_ms.len(), 1, "{reported}");
    }
}

#[test]
fn an_exit_during_a_stop_is_the_stop() {
    let mut lab = up();
    lab.run("stop").check(&[("exit 1 3", "stopping"), ("ended 1", "save => stopped")]);
    assert!(lab.state.file.deaths_boot_ms.is_empty());
}

#[test]
fn a_server_whose_program_left_is_ended_however_long_that_takes() {
    let mut lab = up();
    lab.run("exit 1 3").check(&[
        ("end-failed 1", "wake +5000 => stopping"),
        ("due 7", "stopping"),
        ("ended 1", "stopping"),
        ("due", "end 1 session-exit => stopping"),
        ("end-failed 1", "wake +5000 => stopping"),
        ("died 1", "stopping"),
        ("due", "end 1 session-exit => stopping"),
        ("already-dead 1", "settle 1 signal:9, sweep 1, save => backoff"),
        ("swept 1", "start 2 => starting"),
    ]);
    assert_eq!(lab.state.file.deaths_boot_ms.len(), 1, "one end, counted once");
}

#[test]
fn a_stop_while_that_is_tried_decides_what_follows() {
    up().run("exit 1 3; end-failed 1").check(&[
        ("stop", "answer 1 was=stopping, save => stopping"),
        ("due", "end 1 session-exit => stopping"),
        ("ended 1", "save => stopped"),
    ]);
}
