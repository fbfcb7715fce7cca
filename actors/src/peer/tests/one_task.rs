//! One task a life: given, replied, done; and the next message gets another life.

use super::lab::{Lab, lab};
use crate::peer::one_task::OneTask;

/// An ephemeral peer that a message has woken.
fn ephemeral() -> Lab {
    let mut lab = lab();
    lab.rules.one_task = Some(OneTask::default());
    lab.rules.idle_after_ms = Some(3_600_000);
    lab.run("mail; server 1; canary 1; session 1").check(&[("ready 1", "save, idle-watch 1 +600000 => up")]);
    lab
}

#[test]
fn a_life_ends_twenty_seconds_after_its_reply_and_the_next_begins_afresh() {
    let mut lab = ephemeral();
    lab.run("given 1 build; wait 5000").check(&[
        ("replied 1", "save, idle-watch 1 +20000 => up"),
        ("wait 20000", "up"),
        ("idle 1", "save, end 1 task-over => stopping"),
        ("ended 1", "save => asleep"),
        ("mail build", "answer 2 was=asleep, start 2 => starting"),
        ("server 2", "save, arm 2 => starting"),
        // It knows the topic, and has nothing to go on with all the same.
        ("canary 2", "save, open 2 => starting"),
    ]);
    assert!(lab.state.file.deaths_boot_ms.is_empty() && lab.alarms.is_empty(), "it was meant");
}

#[test]
fn a_person_begins_its_next_life_afresh_too() {
    ephemeral()
        .run("replied 1; wait 20000; idle 1; ended 1; start; server 2")
        .check(&[("canary 2", "save, open 2 => starting")]);
}

#[test]
fn every_reply_and_every_sign_of_life_gives_it_twenty_seconds_more() {
    ephemeral().run("given 1; replied 1; wait 19999").check(&[
        ("idle 1", "idle-watch 1 +1 => up"),
        ("replied 1", "save, idle-watch 1 +20000 => up"),
        ("wait 19999", "up"),
        ("idle 1", "idle-watch 1 +1 => up"),
        ("delivered 1", "up"),
        ("wait 19999", "up"),
        ("idle 1", "idle-watch 1 +1 => up"),
        ("wait 1", "up"),
        ("idle 1", "save, end 1 task-over => stopping"),
    ]);
}

#[test]
fn what_was_said_before_the_task_came_is_no_reply_to_it() {
    ephemeral().check(&[
        ("replied 1", "save, idle-watch 1 +20000 => up"),
        ("given 1", "save, idle-watch 1 +600000 => up"),
        ("wait 20000", "up"),
        ("idle 1", "idle-watch 1 +580000 => up"),
    ]);
}

#[test]
fn a_silent_life_ends_after_ten_minutes() {
    ephemeral().run("given 1; wait 599999").check(&[
        ("idle 1", "idle-watch 1 +1 => up"),
        ("wait 1", "up"),
        ("idle 1", "save, end 1 task-over => stopping"),
    ]);
}

#[test]
fn done_ends_the_life_at_once_and_is_said_by_nobody_else() {
    ephemeral().check(&[
        ("done 2", "refuse wrong-phase => up"),
        ("done 1", "answer 1 was=up, save, end 1 task-over => stopping"),
        ("done 1", "answer 1 was=stopping => stopping"),
        ("ended 1", "save => asleep"),
        ("done", "refuse wrong-phase => asleep"),
        ("done 1", "refuse wrong-phase => asleep"),
    ]);
    ephemeral().check(&[("done", "answer 1 was=up, save, end 1 task-over => stopping")]);
    let starting = || {
        let mut lab = lab();
        lab.rules.one_task = Some(OneTask::default());
        lab.run("start; server 1");
        lab
    };
    starting().check(&[("done", "refuse wrong-phase => starting")]);
    // Its own word counts before it is seen to be up, and a stop that came first stays a stop.
    starting().check(&[
        ("done 1", "answer 1 was=starting, save => starting"),
        ("canary 1", "save, save, end 1 task-over => stopping"),
    ]);
    starting().check(&[
        ("stop", "answer 1 was=starting, save => starting"),
        ("done 1", "answer 1 was=starting => starting"),
        ("canary 1", "save, save, end 1 stop => stopping"),
    ]);
    super::lab::up().check(&[("done", "refuse unsupported => up"), ("done 1", "refuse unsupported => up")]);
}

#[test]
fn what_can_not_be_ended_goes_on_and_is_tried_again() {
    ephemeral().run("replied 1; done").check(&[
        ("end-failed 1", "idle-watch 1 +20000, save => up"),
        ("wait 20000", "up"),
        ("idle 1", "save, end 1 task-over => stopping"),
    ]);
}

#[test]
fn a_program_that_leaves_after_its_task_is_there_for_the_next_one() {
    ephemeral()
        .run("exit 1 0")
        .check(&[("ended 1", "save => asleep"), ("mail", "answer 2 was=asleep, start 2 => starting")]);
    // One that fails is restarted as any other.
    ephemeral().check(&[("exit 1 3", "save, end 1 session-exit => stopping"), ("ended 1", "start 2 => starting")]);
}

#[test]
fn a_stop_wins_over_the_end_of_its_task() {
    ephemeral().run("done; stop").check(&[("ended 1", "save => stopped"), ("mail", "refuse wrong-phase => stopped")]);
}

#[test]
fn what_replied_is_known_to_the_next_daemon() {
    let mut lab = ephemeral();
    lab.run("given 1; replied 1");
    let mut next = super::lab::lab_with(lab.state.file.clone(), crate::peer::restart_policy::RestartPolicy::OnFailure);
    next.rules = lab.rules.clone();
    next.check(&[("found 1 open", "idle-watch 1 +20000, save => up")]);
}

#[test]
fn to_send_is_no_end_of_what_takes_whatever_comes() {
    super::lab::up().check(&[("replied 1", "up"), ("given 1", "up"), ("given 1 build", "save => up")]);
}
