//! Sleep and wake.

use super::lab::{Lab, lab, up};

const AFTER_MS: u64 = 3_600_000;

/// A peer that may sleep, up.
fn drowsy() -> Lab {
    let mut lab = lab();
    lab.rules.idle_after_ms = Some(AFTER_MS);
    lab.run("start; server 1; canary 1; session 1").check(&[("ready 1", "save, idle-watch 1 +3600000 => up")]);
    lab
}

/// One that sleeps.
fn asleep() -> Lab {
    let mut lab = drowsy();
    lab.run("wait 3600000; idle 1").check(&[("ended 1", "save => asleep")]);
    lab
}

#[test]
fn what_shows_no_sign_of_life_is_ended_on_purpose_and_sleeps() {
    let mut lab = drowsy();
    lab.run("wait 3600000").check(&[
        ("idle 1", "save, end 1 idle => stopping"),
        ("canary-died 1", "stopping"),
        ("died 1", "stopping"),
        ("ended 1", "save => asleep"),
    ]);
    assert!(lab.state.file.deaths_boot_ms.is_empty() && lab.alarms.is_empty(), "it was meant");
    assert_eq!(lab.told.last().unwrap(), "asleep");
}

#[test]
fn a_wake_or_a_start_goes_on_with_the_last_conversation() {
    for request in ["wake", "start"] {
        asleep().check(&[
            (request, "answer 2 was=asleep, start 2 => starting"),
            ("server 2", "save, arm 2 => starting"),
            ("canary 2", "save, open 2 resumed => starting"),
            ("session 2", "watch 2 => starting"),
            ("ready 2", "save, idle-watch 2 +3600000 => up"),
        ]);
    }
}

#[test]
fn a_life_after_a_death_begins_from_the_beginning() {
    let up_again = "start; server 2; canary 2; session 2; ready 2";
    let mut lab = asleep();
    lab.run(up_again).run("died 2; settled 2; swept 2; server 3").check(&[("canary 3", "save, open 3 => starting")]);
}

#[test]
fn what_a_person_ended_a_person_gets_back() {
    for end in ["stop; ended 1; start", "stop; start; ended 1", "restart; ended 1"] {
        up().run(end).run("server 2").check(&[("canary 2", "save, open 2 resumed => starting")]);
    }
    // Also where it slept when it was stopped.
    asleep().run("stop; start; server 2").check(&[("canary 2", "save, open 2 resumed => starting")]);
}

#[test]
fn what_died_while_it_was_being_ended_is_not_gone_on_with() {
    up().run("stop; already-dead 1; settled 1; swept 1; start; server 2")
        .check(&[("canary 2", "save, open 2 => starting")]);
    up().run("restart; died 1; end-failed 1; settled 1; swept 1; server 2")
        .check(&[("canary 2", "save, open 2 => starting")]);
}

#[test]
fn what_was_never_ready_leaves_what_there_was_to_go_on_with() {
    asleep()
        .run("start; server 2; canary 2; session 2; stop; ended 2; start; server 3")
        .check(&[("canary 3", "save, open 3 resumed => starting")]);
    // A first life that never was ready left nothing.
    lab()
        .run("start; server 1; canary 1; session 1; stop; ended 1; start; server 2")
        .check(&[("canary 2", "save, open 2 => starting")]);
}

#[test]
fn a_message_goes_on_with_a_session_that_knows_its_topic() {
    let told = || {
        let mut lab = drowsy();
        lab.run("given 1 build; given 1; given 1 docs; wait 3600000; idle 1; ended 1");
        lab
    };
    told().run("mail build; server 2").check(&[("canary 2", "save, open 2 resumed => starting")]);
    for other in ["mail lunch", "mail"] {
        told().run(other).run("server 2").check(&[("canary 2", "save, open 2 => starting")]);
    }
    // What a fresh life is told is all that the next one knows.
    let afresh = "mail lunch; server 2; canary 2; session 2; ready 2; given 2 lunch; wait 3600000; idle 2; ended 2";
    told().run(afresh).run("mail build; server 3").check(&[("canary 3", "save, open 3 => starting")]);
    told().run(afresh).run("mail lunch; server 3").check(&[("canary 3", "save, open 3 resumed => starting")]);
}

#[test]
fn a_wake_that_failed_is_repeated_as_it_was_decided() {
    for (mail, opened) in [("mail build", "save, open 3 resumed => starting"), ("mail", "save, open 3 => starting")] {
        drowsy()
            .run("given 1 build; wait 3600000; idle 1; ended 1")
            .run(mail)
            .run("server 2; canary 2; died 2; settled 2; swept 2; server 3")
            .check(&[("canary 3", opened)]);
    }
    // Whoever starts it by hand meanwhile gets the session back: the wake that failed has not cost it.
    drowsy()
        .run("wait 3600000; idle 1; ended 1; mail; server 2; canary 2; session 2; stop; ended 2; start; server 3")
        .check(&[("canary 3", "save, open 3 resumed => starting")]);
}

#[test]
fn a_refresh_begins_afresh_whatever_it_was() {
    for before in ["", "wait 3600000; idle 1; ended 1; "] {
        let (refresh, ended) = if before.is_empty() { ("refresh", "ended 1; ") } else { ("refresh", "") };
        drowsy()
            .run(&format!("given 1 build; {before}{refresh}; {ended}server 2"))
            .check(&[
                ("canary 2", "save, open 2 => starting"),
                ("died 2", "settle 2 signal:9, sweep 2, save => backoff"),
            ])
            .run("settled 2; swept 2; server 3")
            .check(&[("canary 3", "save, open 3 => starting")]);
    }
}

#[test]
fn a_server_that_dies_before_it_was_up_again_is_followed_by_one_that_goes_on_too() {
    asleep()
        .run("wake; server 2; canary 2; died 2; settled 2; swept 2; server 3")
        .check(&[("canary 3", "save, open 3 resumed => starting")]);
}

#[test]
fn a_program_that_finds_nothing_to_go_on_with_begins_anew() {
    asleep()
        .run("wake; server 2; canary 2; session 2; exit 2 1; ended 2; server 3")
        .check(&[("canary 3", "save, open 3 => starting")]);
}

#[test]
fn a_stop_wins_over_a_wake_whichever_comes_first() {
    asleep().check(&[
        ("stop", "answer 1 was=asleep, save => stopped"),
        ("wake", "refuse wrong-phase => stopped"),
        ("start", "answer 2 was=stopped, start 2 => starting"),
    ]);
    asleep().run("wake").check(&[
        ("stop", "answer 2 was=starting, save => starting"),
        ("wake", "refuse wrong-phase => starting"),
        ("server 2", "save, arm 2 => starting"),
        ("canary 2", "save, save, end 2 stop => stopping"),
        ("wake", "refuse wrong-phase => stopping"),
        ("ended 2", "save => stopped"),
    ]);
}

#[test]
fn a_wake_while_it_is_put_to_sleep_begins_the_next_life_after_it() {
    drowsy()
        .run("wait 3600000; idle 1")
        .check(&[("wake", "answer 2 was=stopping, save => stopping"), ("ended 1", "start 2 => starting")]);
}

#[test]
fn a_stop_while_it_is_put_to_sleep_stops_it() {
    drowsy()
        .run("wait 3600000; idle 1")
        .check(&[("stop", "answer 1 was=stopping, save => stopping"), ("ended 1", "save => stopped")]);
}

#[test]
fn what_was_delivered_or_asked_for_meanwhile_keeps_it_awake() {
    for sign in ["delivered 1", "start", "wake"] {
        let mut lab = drowsy();
        lab.run("wait 3599000").run(sign).run("wait 1000").check(&[
            ("idle 1", "idle-watch 1 +3599000 => up"),
            ("wait 3599000", "up"),
            ("idle 1", "save, end 1 idle => stopping"),
        ]);
    }
}

#[test]
fn only_what_is_up_and_may_sleep_does() {
    up().run("wait 7200000").check(&[("idle 1", "up")]);
    let mut dialog = lab();
    dialog.rules.idle_after_ms = Some(AFTER_MS);
    dialog
        .run("start; server 1; canary 1; session 1; attention 1 trust; wait 7200000")
        .check(&[("idle 1", "needs-attention")]);
    drowsy().run("wait 7200000; stop").check(&[("idle 1", "stopping")]);
}

#[test]
fn an_end_for_sleep_that_can_not_be_claimed_leaves_it_awake() {
    let mut lab = drowsy();
    lab.run("wait 3600000; idle 1").check(&[
        ("end-failed 1", "idle-watch 1 +3600000, save => up"),
        ("died 1", "settle 1 signal:9, sweep 1, save => backoff"),
    ]);
    lab.run("settled 1; swept 1; server 2").check(&[("canary 2", "save, open 2 => starting")]);
}

#[test]
fn what_was_being_put_to_sleep_when_the_daemon_died_sleeps_in_the_end() {
    let mut lab = drowsy();
    lab.run("wait 3600000; idle 1");
    let mut next = super::lab::lab_with(lab.state.file.clone(), crate::peer::restart_policy::RestartPolicy::OnFailure);
    next.run("found 1 open")
        .check(&[("ended 1", "save => asleep"), ("wake", "answer 2 was=asleep, start 2 => starting")]);
}
