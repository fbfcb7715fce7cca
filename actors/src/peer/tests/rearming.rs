//! When the next life begins by itself: at once, after a wait that chance chose, or in its turn.

use super::lab::{BOOT, Lab, lab_with, life, up};
use crate::peer::{
    file::{Desired, LifePhase, PeerFile},
    input::Alarm,
    restart_policy::RestartPolicy::OnFailure,
};

/// The middle of what chance can say: half of every ceiling.
const HALF: u64 = 1 << 63;

/// Life `g` comes up and dies a moment later.
fn come_and_go(lab: &mut Lab, g: u64) {
    lab.run(&format!("server {g}; canary {g}; session {g}; ready {g}; died {g}; settled {g}"));
}

fn waiting() -> Lab {
    let mut lab = up();
    lab.chance = HALF;
    lab.run("died 1; settled 1; swept 1");
    come_and_go(&mut lab, 2);
    lab.check(&[("swept 2", "wake +500, save => backoff")]);
    lab
}

#[test]
fn the_first_restart_comes_at_once_and_each_further_one_waits_up_to_twice_as_long() {
    let mut lab = up();
    lab.chance = HALF;
    lab.run("died 1; settled 1").check(&[("swept 1", "start 2 => starting")]);
    for (g, wait_ms) in [(2, 500), (3, 1_000), (4, 2_000), (5, 4_000)] {
        come_and_go(&mut lab, g);
        lab.check(&[(&format!("swept {g}"), &format!("wake +{wait_ms}, save => backoff"))]);
        lab.run(&format!("wait {wait_ms}")).check(&[("due", &format!("start {} => starting", g + 1))]);
    }
}

#[test]
fn a_life_that_was_up_for_ten_minutes_starts_the_row_anew() {
    for (up_ms, after) in [(599_999, "wake +500, save => backoff"), (600_000, "start 3 => starting")] {
        let mut lab = up();
        lab.chance = HALF;
        lab.run("died 1; settled 1; swept 1; server 2; canary 2; session 2; ready 2");
        lab.run(&format!("wait {up_ms}; died 2; settled 2")).check(&[("swept 2", after)]);
    }
}

#[test]
fn a_start_during_the_wait_starts_at_once_and_the_wait_is_stale() {
    waiting().check(&[("start", "answer 3 was=backoff, start 3 => starting"), ("due", "starting")]);
    waiting().check(&[("restart", "answer 3 was=backoff, start 3 => starting")]);
}

#[test]
fn a_wake_during_the_wait_leaves_it_as_it_is() {
    waiting().check(&[("wake", "answer 3 was=backoff => backoff"), ("wait 500", "backoff")]);
}

#[test]
fn a_stop_during_the_wait_ends_it() {
    waiting().check(&[("stop", "answer 2 was=backoff, save => stopped"), ("due", "stopped")]);
}

#[test]
fn a_wait_goes_on_under_the_next_daemon_and_never_starts_anew() {
    let before = waiting();
    let mut after = lab_with(before.state.file.clone(), OnFailure);
    after.now_ms = before.now_ms + 300;
    after.check(&[("take-up", "wake +200, save => backoff"), ("wait 200", "backoff"), ("due", "start 3 => starting")]);
    let mut late = lab_with(before.state.file.clone(), OnFailure);
    late.now_ms = before.now_ms + 3_000;
    late.check(&[("take-up", "start 3 => starting")]);
    assert_eq!((late.state.file.deaths_in_a_row, late.state.file.restarts), (2, 2));
    assert_eq!(late.state.file.last_death.as_ref().unwrap().generation.0, 2);
}

#[test]
fn a_wait_of_another_boot_is_over() {
    let boot_id = "an-earlier-boot".into();
    let file = PeerFile { desired: Desired::Up, next_try_boot_ms: Some(u64::MAX), boot_id, ..PeerFile::default() };
    let mut lab = lab_with(file, OnFailure);
    lab.check(&[("take-up", "start 1 => starting")]);
    assert_eq!(lab.state.file.boot_id, BOOT);
}

#[test]
fn a_reset_forgets_how_often_it_died() {
    let mut lab = waiting();
    lab.run("reset");
    assert_eq!((lab.state.file.deaths_in_a_row, lab.state.file.deaths_boot_ms.len()), (0, 0));
    lab.run("start; server 3; died 3; settled 3").check(&[("swept 3", "start 4 => starting")]);
}

#[test]
fn who_is_held_waits_for_its_turn_and_says_for_what() {
    let mut lab = up();
    lab.held = true;
    lab.run("died 1; settled 1").check(&[
        ("swept 1", "ask 2 => backoff"),
        ("held 2 incident-7", "backoff"),
        ("go 1", "backoff"),
        ("go 2 incident-7", "start 2 => starting"),
        ("go 2 incident-7", "starting"),
    ]);
    assert_eq!(lab.alarms, [Alarm::Died]);
}

#[test]
fn what_a_person_asks_for_waits_for_nobodys_turn() {
    for request in ["start", "restart"] {
        let mut lab = up();
        lab.held = true;
        lab.run("died 1; settled 1; swept 1; held 2 incident-7")
            .check(&[(request, "answer 2 was=backoff, start 2 => starting"), ("go 2 incident-7", "starting")]);
    }
    let mut lab = up();
    lab.held = true;
    lab.run("died 1; settled 1; swept 1; held 2 incident-7")
        .check(&[("stop", "answer 1 was=backoff, save => stopped"), ("go 2 incident-7", "stopped")]);
}

#[test]
fn only_deaths_that_nobody_meant_are_alarms() {
    let mut lab = up();
    lab.run("restart; died 1; ended 1; server 2; canary 2; session 2; ready 2; exit 2 3; died 2; ended 2");
    assert_eq!(lab.alarms, []);
    lab.run("server 3; died 3");
    assert_eq!(lab.alarms, [Alarm::Died]);
    let mut adopted = lab_with(
        PeerFile {
            desired: Desired::Up,
            lives: vec![life(3, LifePhase::Up)],
            boot_id: BOOT.into(),
            ..PeerFile::default()
        },
        OnFailure,
    );
    adopted.run("found 3 dead");
    assert_eq!(adopted.alarms, [Alarm::Died]);
}
