//! How a life begins, a row for each reason.

use super::lab::rules;
use crate::{
    names::Generation,
    peer::{
        beginning::{Beginning, TOPICS_MAX, Wanted, decide, remember},
        file::PeerFile,
        input::PeerRules,
        one_task::OneTask,
        restart_policy::RestartPolicy,
    },
    view::LastDeath,
};

fn about(topic: Option<&str>) -> Option<Wanted> {
    Some(Wanted::ForMessage { topic: topic.map(Into::into) })
}

/// A peer that slept after a session about the build and the docs.
fn asleep() -> PeerFile {
    let topics = vec!["build".into(), "docs".into()];
    PeerFile { highest: Generation(7), resume: true, topics, ..PeerFile::default() }
}

#[test]
fn a_session_that_was_ended_on_purpose_goes_on_for_people_and_for_its_own_topics() {
    let died = Some(LastDeath { generation: Generation(7), why: "x".into() });
    let died_before = Some(LastDeath { generation: Generation(6), why: "x".into() });
    let dead = || PeerFile { resume: false, last_death: died.clone(), ..asleep() };
    let person = || Some(Wanted::ByPerson);
    let rows = [
        (asleep(), person(), "resume person"),
        (asleep(), about(Some("build")), "resume known-topic"),
        (asleep(), about(Some("docs")), "resume known-topic"),
        (asleep(), about(Some("Build")), "fresh other-topic"),
        (asleep(), about(Some("lunch")), "fresh other-topic"),
        (asleep(), about(None), "fresh no-topic"),
        (asleep(), None, "resume as-it-was"),
        (asleep(), Some(Wanted::Afresh), "fresh refresh"),
        (PeerFile { topics: Vec::new(), ..asleep() }, about(Some("build")), "fresh other-topic"),
        (PeerFile { topics: Vec::new(), ..asleep() }, person(), "resume person"),
        (PeerFile { last_death: died_before, ..asleep() }, person(), "resume person"),
        (dead(), person(), "fresh death"),
        (dead(), about(Some("build")), "fresh death"),
        (PeerFile { resume: false, ..asleep() }, person(), "fresh nothing-kept"),
        (PeerFile::default(), person(), "fresh first-life"),
    ];
    for (file, wanted, decided) in rows {
        let file = PeerFile { wanted, ..file };
        let beginning = decide(&file, &rules(RestartPolicy::OnFailure));
        assert_eq!(format!("{} {}", beginning.word(), beginning.because), decided, "{:?}", file.wanted);
    }
}

#[test]
fn what_can_not_go_on_or_has_one_task_a_life_begins_afresh_whoever_asks() {
    let file = PeerFile { wanted: Some(Wanted::ByPerson), ..asleep() };
    let base = || rules(RestartPolicy::OnFailure);
    let mute = PeerRules { can_resume: false, ..base() };
    assert_eq!(decide(&file, &mute).because, "runtime-can-not");
    let ephemeral = PeerRules { one_task: Some(OneTask::default()), ..base() };
    assert_eq!(decide(&file, &ephemeral), Beginning { resumes: false, because: "ephemeral" });
}

#[test]
fn the_topic_that_was_not_heard_of_for_longest_is_forgotten_first() {
    let mut topics = Vec::new();
    for number in 0..TOPICS_MAX {
        assert!(remember(&mut topics, number.to_string()));
    }
    assert!(remember(&mut topics, "0".into()), "heard again, it is the latest");
    assert!(!remember(&mut topics, "0".into()));
    assert!(remember(&mut topics, "new".into()));
    assert_eq!(topics.len(), TOPICS_MAX);
    assert!(topics.contains(&"0".into()) && !topics.contains(&"1".into()), "{topics:?}");
}
