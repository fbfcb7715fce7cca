//! How servers live: started once, shared, started again, and gone without a trace.

use super::{Fair, Times, text_of, until};
use crate::io::effects::grants::Grants;
use coalmine_actors::effects::{EffectError, handles::HandleKind, policy::McpServer};
use serde_json::json;
use std::{collections::BTreeSet, sync::Arc, time::Duration};

#[tokio::test]
async fn a_tool_gives_its_structured_content_or_the_list_of_its_contents() {
    let fair = Fair::new();
    let session = fair.session();
    assert_eq!(session.call("plain").await.unwrap(), json!([{ "type": "text", "text": "plain" }]));
    let done = session.done("it", "who", json!({ "q": 1 })).await.unwrap();
    let sandbox = done.sandbox.clone().unwrap().0;
    assert!(sandbox == "none" || sandbox.starts_with("landlock-abi"), "{sandbox}");
    assert!(done.bytes_in > 10);
    assert_eq!(done.output.into_json()["calls"], 2);
}

#[tokio::test]
async fn a_tools_own_error_keeps_its_server() {
    let fair = Fair::new();
    let session = fair.session();
    let (pid, _) = session.who().await;
    assert_eq!(session.call("fail").await, Err(EffectError::Tool { said: "it broke".into() }));
    assert_eq!(session.call("raise").await, Err(EffectError::Tool { said: "q is missing (code -32602)".into() }));
    assert_eq!(session.who().await, (pid, 4));
}

#[tokio::test]
async fn a_tool_that_the_server_does_not_have_is_told_with_the_nearest_name() {
    let fair = Fair::new();
    let session = fair.session();
    let error = session.call("plian").await.unwrap_err();
    assert_eq!(error.code(), "bad-args");
    assert!(error.to_string().contains("did you mean \"plain\"?"), "{error}");
    assert_eq!(session.who().await.1, 1, "it was never asked");
}

#[tokio::test]
async fn first_calls_at_once_start_one_server_and_share_it() {
    let fair = Fair::new();
    let session = fair.session();
    let some = tokio::join!(session.call("who"), session.call("who"), session.call("who"), session.call("who"));
    let some = [some.0, some.1, some.2, some.3];
    let pids: BTreeSet<_> = some.iter().map(|who| who.as_ref().unwrap()["pid"].as_i64()).collect();
    assert_eq!(pids.len(), 1);
    // Another session has another one.
    assert!(!pids.contains(&Some(fair.session().who().await.0)));
}

#[tokio::test]
async fn a_server_that_dies_is_told_with_its_status_and_started_again_by_the_next_call() {
    let fair = Fair::new();
    let session = fair.session();
    let (first, _) = session.who().await;
    let error = session.call("die").await.unwrap_err();
    assert_eq!(error.code(), "protocol");
    assert!(error.to_string().contains("the tool server it ended with exit status 3"), "{error}");
    let (second, calls) = session.who().await;
    assert!(second != first && calls == 1, "{first} {second} {calls}");
    // Killed between two calls, where nobody waits for it.
    fair.kill();
    fair.until_nothing_is_left().await;
    until("its place is free", || session.seat.count(HandleKind::Mcp) == 0).await;
    assert_eq!(session.who().await.1, 1);
}

#[tokio::test]
async fn an_idle_server_ends_and_the_next_call_starts_it_again() {
    let mut fair = Fair::new();
    fair.tools.times = Times { idle: Duration::from_millis(50), ..fair.tools.times };
    let session = fair.session();
    let (first, _) = session.who().await;
    fair.until_nothing_is_left().await;
    let (second, _) = session.who().await;
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_session_has_sixteen_servers_and_the_place_of_one_that_ended() {
    let mut fair = Fair::new();
    let names: Vec<_> = (0..17).map(|number| format!("s{number}")).collect();
    let McpServer::Command { path, args, .. } = fair.policy.mcp["it"].at.clone() else { panic!("a command") };
    let command: Vec<_> = [path.to_str().unwrap()].into_iter().chain(args.iter().map(String::as_str)).collect();
    names.iter().for_each(|name| fair.grant(name, &command));
    let session = fair.session();
    for name in &names[..16] {
        session.done(name, "plain", json!({})).await.unwrap();
    }
    let full = Err(EffectError::TooManyHandles { max: 16 });
    assert_eq!(session.done("s16", "plain", json!({})).await, full);
    session.done("s3", "die", json!({})).await.unwrap_err();
    session.done("s16", "plain", json!({})).await.unwrap();
    drop(session);
    fair.until_nothing_is_left().await;
}

#[tokio::test]
async fn with_its_session_a_server_ends_with_all_that_it_started() {
    let fair = Fair::new();
    for tool in ["plain", "orphan", "stubborn"] {
        let session = fair.session();
        session.call(tool).await.unwrap();
        assert!(!fair.family().is_empty());
        drop(session);
        fair.until_nothing_is_left().await;
    }
}

#[tokio::test]
async fn a_server_that_starts_while_its_session_ends_is_ended_too() {
    let fair = Fair::of("mute");
    let session = fair.session();
    let mut call = Box::pin(session.call("plain"));
    let started = async { until("it runs", || !fair.family().is_empty()).await };
    tokio::select! {
        _ = &mut call => panic!("it is mute"),
        () = started => {}
    }
    drop(call);
    drop(session);
    fair.until_nothing_is_left().await;
}

#[tokio::test]
async fn a_policy_that_changes_has_its_servers_started_anew() {
    let fair = Fair::new();
    let mut session = fair.session();
    let (first, _) = session.who().await;
    session.opened = Arc::new(Grants::open(&fair.policy));
    let (second, _) = session.who().await;
    assert_ne!(first, second, "the first one is behind older walls");
    until("the first one is gone", || fair.family().iter().all(|pid| i64::from(*pid) != first)).await;
}

#[tokio::test]
async fn a_server_has_nothing_of_ours_and_is_behind_the_sessions_walls() {
    let fair = Fair::new();
    let session = fair.session();
    let done = session.done("it", "limits", json!({})).await.unwrap();
    let said = done.output.into_json();
    let words: Vec<_> = text_of(&said).split_whitespace().collect();
    assert_eq!(words[0], "/");
    if done.sandbox.unwrap().0 != "none" {
        assert_eq!(words[1], "0", "{said}");
    }
}

#[tokio::test]
async fn lives_leave_no_descriptors() {
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let fair = Fair::new();
    let before = descriptors();
    let lives = 60;
    for _ in 0..lives {
        let session = fair.session();
        session.call("plain").await.unwrap();
        drop(session);
    }
    fair.until_nothing_is_left().await;
    // Other tests of this process open some too.
    until("the descriptors are closed", || descriptors() < before + lives).await;
}
