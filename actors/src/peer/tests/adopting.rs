//! What an earlier actor, daemon or boot of the host left.

use super::lab::{Lab, lab_with, life};
use crate::{
    names::Generation,
    peer::{
        file::{Desired, Life, LifePhase, PeerFile},
        input::Alarm,
        restart_policy::RestartPolicy::OnFailure,
    },
};
use LifePhase::{Dead, NeedsAttention, Starting, Stopping, Up};

/// A peer with these lives on disk.
fn left(desired: Desired, lives: Vec<Life>) -> Lab {
    let highest = lives.iter().map(|life| life.generation).max().unwrap_or(Generation(3));
    let boot_id = super::lab::BOOT.into();
    lab_with(PeerFile { highest, lives, desired, boot_id, ..PeerFile::default() }, OnFailure)
}

#[track_caller]
fn check(desired: Desired, phase: LifePhase, found: &str, decided: &str) {
    left(desired, vec![life(3, phase)]).check(&[(&format!("found 3 {found}"), decided)]);
}

#[test]
fn a_live_server_is_taken_up_where_it_was() {
    check(Desired::Up, Up, "open", "save => up");
    check(Desired::Up, NeedsAttention, "open", "watch 3, save => needs-attention");
    check(Desired::Up, Starting, "open", "watch 3, save => starting");
    check(Desired::Up, Starting, "missing", "open 3, save => starting");
    check(Desired::Up, Up, "open no-canary", "arm 3, save => up");
}

#[test]
fn a_live_server_whose_lock_was_removed_is_taken_up_and_that_is_told() {
    let mut lab = left(Desired::Up, vec![life(3, Up)]);
    lab.check(&[("found 3 open lock-lost", "save => up")]);
    assert!(lab.told.contains(&"lock-lost".to_owned()), "{:?}", lab.told);
    assert!(lab.state.note.contains("server.lock"), "{}", lab.state.note);
}

#[test]
fn an_end_that_was_meant_is_carried_out() {
    check(Desired::Stopped, Stopping, "open", "save, end 3 stop => stopping");
    check(Desired::Up, Stopping, "open", "save, end 3 restart => stopping");
    // Accepted while a step of the start was under way.
    check(Desired::Stopped, Starting, "open", "save, end 3 stop => stopping");
    check(Desired::Quarantined, Up, "open", "save, end 3 stop => stopping");
    let mut restarting = left(Desired::Up, vec![life(3, Stopping)]);
    restarting.run("found 3 open").check(&[("ended 3", "start 4 => starting")]);
    let mut stubborn = left(Desired::Stopped, vec![life(3, Stopping)]);
    stubborn.run("found 3 open").check(&[
        ("end-failed 3", "wake +5000 => stopping"),
        ("due", "end 3 stop => stopping"),
        ("ended 3", "save => stopped"),
    ]);
}

#[test]
fn a_program_that_left_while_nobody_looked_is_noticed() {
    check(Desired::Up, Up, "0", "save, save, end 3 session-exit => stopping");
    check(Desired::Up, Up, "missing", "save, save, end 3 session-exit => stopping");
    let mut failed = left(Desired::Up, vec![life(3, Up)]);
    failed.run("found 3 7").check(&[("ended 3", "start 4 => starting")]);
    assert_eq!(failed.state.file.deaths_boot_ms.len(), 1);
}

#[test]
fn a_silent_server_is_marked_and_asked_and_not_judged() {
    let mut lab = left(Desired::Up, vec![life(3, Up)]);
    lab.check(&[("found 3 silent", "probe 3, save => up")]);
    assert!(lab.state.live().unwrap().unreachable);
    // It may have its session or not: it is not given a second one, and not left without.
    let mut starting = left(Desired::Up, vec![life(3, Starting)]);
    starting.check(&[("found 3 silent", "probe 3, save => starting"), ("answers 3", "look 3 => starting")]);
    starting.check(&[("seen 3 missing", "open 3 => starting")]);
}

#[test]
fn a_life_that_never_had_a_server_has_not_died() {
    let mut lab = left(Desired::Up, vec![life(3, Starting)]);
    lab.check(&[("found 3 never-lived", "sweep 3, save => backoff"), ("swept 3", "start 4 => starting")]);
    assert!(lab.state.file.deaths_boot_ms.is_empty());
    check(Desired::Stopped, Starting, "never-lived", "sweep 3, save => stopped");
}

#[test]
fn a_dead_server_is_settled_and_followed_as_it_was_wanted() {
    let settled = "settle 3 signal:9, sweep 3, save => ";
    check(Desired::Up, Up, "dead", &format!("{settled}backoff"));
    check(Desired::Up, Starting, "dead", &format!("{settled}backoff"));
    check(Desired::Stopped, Stopping, "dead", &format!("{settled}stopped"));
    check(Desired::Asleep, Up, "dead", &format!("{settled}asleep"));
    check(Desired::Quarantined, Dead, "dead", &format!("{settled}quarantined"));
    for (phase, counted) in [(Up, 1), (NeedsAttention, 1), (Starting, 1), (Stopping, 0), (Dead, 0)] {
        let mut lab = left(Desired::Up, vec![life(3, phase)]);
        lab.run("found 3 dead").check(&[("swept 3", "start 4 => starting")]);
        assert_eq!(lab.state.file.deaths_boot_ms.len(), counted, "{phase:?}");
    }
}

#[test]
fn a_death_whose_record_is_owed_since_long_does_not_keep_the_peer_down() {
    let mut lab = left(Desired::Up, vec![life(3, Dead)]);
    lab.run("found 3 dead; swept 3; settled 3");
    assert_eq!((lab.lives(), lab.phase().as_str()), (vec![4], "starting"));
    assert!(!lab.told.contains(&"death".to_owned()), "it was told before");
}

#[test]
fn the_living_life_decides_whatever_the_dead_ones_say() {
    let dead_first = || left(Desired::Up, vec![life(3, Dead), life(4, Up)]);
    dead_first().check(&[
        ("found 3 dead", "settle 3 signal:9, sweep 3 => stopped"),
        ("found 4 open", "save => up"),
        ("swept 3", "up"),
        ("settled 3", "save => up"),
    ]);
    dead_first().run("found 3 dead").check(&[
        ("found 4 dead", "settle 4 signal:9, sweep 4, save => backoff"),
        ("swept 3", "backoff"),
        ("swept 4", "start 5 => starting"),
    ]);
    left(Desired::Up, vec![life(3, Up), life(4, Starting)])
        .check(&[("found 3 open", "save => up"), ("found 4 dead", "settle 4 signal:9, sweep 4 => up")]);
}

#[test]
fn dead_stays_dead() {
    check(Desired::Up, Dead, "open", "settle 3 unknown, sweep 3, save => backoff");
}

#[test]
fn what_can_not_be_proved_to_be_ours_is_neither_ended_nor_doubled() {
    let mut lab = left(Desired::Up, vec![life(3, Up)]);
    lab.check(&[
        ("found 3 blocked", "blocked"),
        ("stop", "refuse wrong-phase => blocked"),
        ("start", "answer 3 was=blocked, save, find 3 => blocked"),
        ("found 3 blocked", "blocked"),
        ("start", "answer 3 was=blocked, save, find 3 => blocked"),
        ("found 3 open", "save => up"),
    ]);
    let mut gone = left(Desired::Up, vec![life(3, Up)]);
    gone.run("found 3 blocked; start")
        .check(&[("found 3 dead", "settle 3 signal:9, sweep 3, save => backoff"), ("swept 3", "start 4 => starting")]);
}

#[test]
fn a_restart_of_the_host_is_no_death() {
    let other_boot = |phase| Life { boot_id: "an-earlier-boot".into(), ..life(3, phase) };
    for phase in [Starting, Up, NeedsAttention, Stopping] {
        let mut lab = left(Desired::Up, vec![other_boot(phase)]);
        lab.check(&[("found 3 dead", "sweep 3, save => backoff"), ("swept 3", "start 4 => starting")]);
        assert_eq!((lab.lives(), lab.state.file.deaths_boot_ms.len()), (vec![4], 0));
        assert_eq!(lab.alarms, [Alarm::HostRestarted]);
    }
    left(Desired::Up, vec![other_boot(Dead)]).check(&[("found 3 dead", "settle 3 signal:9, sweep 3, save => backoff")]);
    left(Desired::Stopped, vec![other_boot(Stopping)]).run("found 3 dead").check(&[("swept 3", "save => stopped")]);
}

#[test]
fn a_life_that_is_in_hand_is_not_looked_for() {
    super::lab::up().check(&[("found 1 dead", "up"), ("found 1 blocked", "up"), ("found 1 open", "up")]);
}

#[test]
fn the_file_learns_which_processes_were_found() {
    let unknown = Life { server: None, canary: None, ..life(3, Starting) };
    let mut lab = left(Desired::Up, vec![unknown]);
    lab.run("found 3 open");
    assert!(lab.state.file.lives[0].server.is_some() && lab.state.file.lives[0].canary.is_some());
}
