//! Too many deaths too fast, and the one way out.

use super::lab::{BOOT, Lab, lab_with, up, up_with};
use crate::{
    names::Generation,
    peer::{
        file::{Desired, PeerFile},
        restart_policy::RestartPolicy::{Always, OnFailure},
    },
};

const LIFE: [&str; 5] = ["server", "canary", "session", "ready", "died"];

/// Lets lives from `first` to `last` come up and die within a moment.
fn die(lab: &mut Lab, first: u64, last: u64) {
    for g in first..=last {
        if g > 1 {
            lab.run(&LIFE[..4].iter().map(|word| format!("{word} {g}")).collect::<Vec<_>>().join("; "));
        }
        lab.run(&format!("died {g}; swept {g}; settled {g}"));
    }
}

#[test]
fn the_sixth_death_is_one_too_many_and_only_a_reset_helps() {
    let mut lab = up();
    die(&mut lab, 1, 6);
    lab.check(&[
        ("wait 0", "quarantined"),
        ("start", "refuse wrong-phase => quarantined"),
        ("restart", "refuse wrong-phase => quarantined"),
        ("stop", "answer 6 was=quarantined => quarantined"),
        ("wait 86400000", "quarantined"),
        ("start", "refuse wrong-phase => quarantined"),
        ("reset", "answer 6 was=quarantined, save => stopped"),
        ("start", "answer 7 was=stopped, start 7 => starting"),
    ]);
    assert!(lab.told.contains(&"quarantined".to_owned()));
}

#[test]
fn the_refusal_names_the_verb_that_helps() {
    use crate::peer::{
        input::{Action, Input},
        step::step,
    };
    let mut lab = up();
    die(&mut lab, 1, 6);
    let now = crate::ports::Moment { wall: jiff::Timestamp::UNIX_EPOCH, boot_ms: lab.now_ms };
    let (_, actions) = step(lab.state.clone(), Input::Start, now, 0, &lab.rules);
    let [Action::Answer(Err(error))] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(error.hint(), "`coalmine reset claude-bob` forgives its deaths");
    assert!(error.to_string().starts_with("claude-bob is quarantined: 6 deaths in 300 s"), "{error}");
}

#[test]
fn while_its_last_life_is_swept_or_ended_it_is_quarantined_already() {
    let mut swept = up();
    die(&mut swept, 1, 5);
    swept.run("server 6; died 6").check(&[
        ("start", "refuse wrong-phase => quarantined"),
        ("stop", "answer 6 was=quarantined => quarantined"),
        ("swept 6", "save => quarantined"),
    ]);
    let mut ended = up_with(Always);
    die(&mut ended, 1, 5);
    ended.run("server 6; canary 6; session 6; ready 6; exit 6 3").check(&[
        ("start", "refuse wrong-phase => stopping"),
        ("restart", "refuse wrong-phase => stopping"),
        ("stop", "answer 6 was=stopping => stopping"),
        ("ended 6", "save => quarantined"),
    ]);
    let mut waiting = up_with(OnFailure);
    die(&mut waiting, 1, 5);
    waiting.run("server 6; canary 6; exit 6 3").check(&[
        ("start", "refuse wrong-phase => starting"),
        ("stop", "answer 6 was=starting => starting"),
        ("session 6", "save, end 6 session-exit => stopping"),
        ("ended 6", "save => quarantined"),
    ]);
}

#[test]
fn a_reset_helps_in_every_phase() {
    let mut swept = up();
    die(&mut swept, 1, 5);
    swept.run("server 6; died 6").check(&[
        ("reset", "answer 6 was=quarantined, save => stopped"),
        ("swept 6", "save => stopped"),
        ("start", "answer 7 was=stopped, start 7 => starting"),
    ]);
    let mut ended = up();
    die(&mut ended, 1, 5);
    ended.run("server 6; canary 6; session 6; ready 6; exit 6 3").check(&[
        ("reset", "answer 6 was=stopping, save => stopping"),
        ("start", "answer 7 was=stopping, save => stopping"),
        ("ended 6", "start 7 => starting"),
    ]);
    let mut alive = up();
    die(&mut alive, 1, 5);
    alive.run("server 6").check(&[("reset", "answer 6 was=starting, save => starting")]);
    assert!(alive.state.file.deaths_boot_ms.is_empty());
    alive.check(&[("died 6", "settle 6 signal:9, sweep 6, save => backoff")]);
    super::lab::lab().check(&[("reset", "answer 0 was=asleep, save => asleep")]);
    super::lab::lab().run("start; lock-held 1").check(&[("reset", "answer 1 was=blocked, save => blocked")]);
    super::lab::lab().run("start; busy 1").check(&[("reset", "answer 1 was=backoff, save => backoff")]);
}

#[test]
fn deaths_that_lie_apart_are_forgiven() {
    let mut lab = up();
    for g in 1..=20 {
        die(&mut lab, g, g);
        lab.run("wait 60001");
    }
    assert_eq!(lab.phase(), "starting");
}

#[test]
fn deaths_of_another_boot_do_not_count() {
    let file = PeerFile {
        highest: Generation(5),
        deaths_boot_ms: vec![9_999_991, 9_999_992, 9_999_993, 9_999_994, 9_999_995],
        boot_id: "an-earlier-boot".into(),
        desired: Desired::Stopped,
        ..PeerFile::default()
    };
    let mut lab = lab_with(file, OnFailure);
    lab.run("start; server 6; died 6").check(&[("swept 6", "start 7 => starting")]);
    assert_eq!((lab.state.file.deaths_boot_ms.len(), lab.state.file.boot_id.as_str()), (1, BOOT));
}

#[test]
fn a_quarantine_outlives_the_daemon() {
    let file = PeerFile { highest: Generation(6), desired: Desired::Quarantined, ..PeerFile::default() };
    lab_with(file, OnFailure).check(&[("start", "refuse wrong-phase => quarantined")]);
}
