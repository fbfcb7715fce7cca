//! Servers that do what they should not: each of it ends in an error that says so, and nothing waits for ever.

use super::{Fair, Times, text_of, until};
use coalmine_actors::effects::EffectError;
use serde_json::json;
use std::{sync::Arc, time::Duration};

/// For a call that is to be late.
const SHORT: Duration = Duration::from_millis(300);

fn timed_out(phase: &'static str) -> EffectError {
    EffectError::Timeout { phase }
}

#[tokio::test]
async fn ten_mebibytes_on_stderr_go_to_the_log_in_bounded_lines_and_hold_up_nothing() {
    let fair = Fair::new();
    let session = fair.session();
    assert_eq!(text_of(&session.call("stderr").await.unwrap()), "done");
    until("some of it is in the log", || session.logged("mcp.it: xxxx") > 0).await;
    assert!(session.log.0.lock().unwrap().iter().all(|line| line.len() < 5_000));
    session.call("plain").await.unwrap();
}

#[tokio::test]
async fn a_banner_on_stdout_is_passed_over_and_logged() {
    let fair = Fair::of("banner");
    let session = fair.session();
    session.call("plain").await.unwrap();
    until("it is in the log", || session.logged("mcp.it: (stdout) Welcome to this server!") == 1).await;
}

#[tokio::test]
async fn a_server_that_says_nothing_but_noise_is_given_up_with_a_line_of_it() {
    let fair = Fair::new();
    let session = fair.session();
    let error = session.call("babble").await.unwrap_err();
    assert_eq!(error.code(), "protocol");
    assert!(error.to_string().contains("\"no message at all\""), "{error}");
    session.call("plain").await.unwrap();
}

#[tokio::test]
async fn what_a_server_asks_is_refused_and_never_taken_for_a_reply() {
    let fair = Fair::new();
    let session = fair.session();
    // Each of its requests has the number of ours.
    assert_eq!(text_of(&session.call("ask").await.unwrap()), "refused");
    // Before anything else it may ask, too.
    let talking = Fair::of("talk");
    let session = talking.session();
    session.call("plain").await.unwrap();
    until("it was answered", || session.logged("\"result\":{}") == 1).await;
}

#[tokio::test]
async fn a_server_that_asks_and_asks_and_reads_nothing_is_given_up() {
    let fair = Fair::new();
    let session = fair.session();
    let error = session.call("pester").await.unwrap_err();
    assert_eq!(error, EffectError::limit("requests of the tool server at once", 64));
    session.call("plain").await.unwrap();
}

#[tokio::test]
async fn a_flood_of_notifications_is_let_go() {
    let fair = Fair::new();
    let session = fair.session();
    assert_eq!(text_of(&session.call("flood").await.unwrap()), "done");
}

#[tokio::test]
async fn a_line_over_the_limit_ends_its_server() {
    let fair = Fair::new();
    let session = fair.session();
    let error = session.call("huge").await.unwrap_err();
    assert_eq!(error, EffectError::limit("a line of the tool server", 16 * 1024 * 1024));
    session.call("plain").await.unwrap();
}

#[tokio::test]
async fn a_silent_tool_is_cancelled_at_its_deadline_and_its_server_goes_on() {
    let fair = Fair::new();
    let session = fair.session();
    let (pid, _) = session.who().await;
    let hasty = Fair { tools: fair.tools.clone(), ..Fair::new().patience(SHORT) };
    let mut late = hasty.session();
    (late.seat, late.opened) = (Arc::clone(&session.seat), Arc::clone(&session.opened));
    assert_eq!(late.call("silent").await, Err(timed_out("tool")));
    assert_ne!(text_of(&session.call("cancelled").await.unwrap()), "none", "the protocol's own word for it");
    assert_eq!(session.who().await, (pid, 4));
}

#[tokio::test]
async fn a_reply_to_nobody_is_no_reply() {
    let fair = Fair::new().patience(SHORT);
    let session = fair.session();
    // Its start is not what is to be late.
    while session.call("plain").await.is_err() {}
    assert_eq!(session.call("wrong").await, Err(timed_out("tool")));
}

#[tokio::test]
async fn a_server_that_hangs_after_its_deadline_is_ended() {
    let mut fair = Fair::new().patience(SHORT);
    fair.tools.times = Times { ping: SHORT, ..fair.tools.times };
    let session = fair.session();
    while session.call("plain").await.is_err() {}
    assert_eq!(session.call("hang").await, Err(timed_out("tool")));
    fair.until_nothing_is_left().await;
}

#[tokio::test]
async fn whoever_hangs_up_has_the_call_cancelled_and_the_server_kept() {
    let fair = Fair::new();
    let session = fair.session();
    let (pid, _) = session.who().await;
    let begun = tokio::time::timeout(SHORT, session.call("silent")).await;
    assert!(begun.is_err());
    assert_ne!(text_of(&session.call("cancelled").await.unwrap()), "none");
    assert_eq!(session.who().await.0, pid);
}

#[tokio::test]
async fn a_server_that_dies_before_it_is_up_is_told_with_its_status_and_its_last_words_are_logged() {
    let fair = Fair::of("die");
    let session = fair.session();
    let error = session.call("plain").await.unwrap_err();
    assert_eq!(error.code(), "protocol");
    assert!(error.to_string().contains("ended with exit status 3"), "{error}");
    until("its last words are logged", || session.logged("no key is configured") == 1).await;
}

#[tokio::test]
async fn a_server_that_does_not_begin_is_given_up() {
    let mut fair = Fair::of("mute");
    fair.tools.times = Times { start: SHORT, ..fair.tools.times };
    assert_eq!(fair.session().call("plain").await, Err(timed_out("start")));
    fair.until_nothing_is_left().await;
    let wrong = Fair::of("wrong");
    let error = wrong.session().call("plain").await.unwrap_err();
    assert_eq!(error.code(), "protocol");
    wrong.until_nothing_is_left().await;
}

#[tokio::test]
async fn a_call_that_is_late_while_its_server_starts_says_so() {
    let fair = Fair::of("mute").patience(SHORT);
    assert_eq!(fair.session().call("plain").await, Err(timed_out("start")));
}

#[tokio::test]
async fn what_can_not_be_started_is_told() {
    let mut fair = Fair::new();
    fair.grant("gone", &["/nowhere/at/all"]);
    fair.grant("folder", &["/usr"]);
    let session = fair.session();
    for (name, said) in [("gone", "is not there"), ("folder", "can not be executed")] {
        let error = session.done(name, "x", json!({})).await.unwrap_err();
        assert_eq!(error.code(), "effect-unsupported");
        assert!(error.to_string().contains(said), "{error}");
    }
    let denied = session.done("other", "x", json!({})).await.unwrap_err();
    assert_eq!(denied.code(), "denied");
}
