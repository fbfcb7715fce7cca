//! A store that can not be written, and one that is swept.

use super::{
    Post, bodies,
    crash::{peer, root},
    home, read, works,
};
use crate::support::{Daemon, eventually};
use coalmine_actors::mail::State;
use serde_json::json;

/// Keeps everybody else from writing to the store, until it is dropped.
fn lock(post: &Post) -> rusqlite::Connection {
    let stranger = rusqlite::Connection::open(post.rig.fleet.paths().mail()).unwrap();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    stranger
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_written_down_is_neither_accepted_nor_typed() {
    let post = Post::new().await;
    post.up("bob").await;
    post.works("bob").await;
    let waits = post.send("bob", "accepted before").await;
    post.until_it_waits(&waits, "it works").await;
    let locked = lock(&post);
    let error = post.send_new(super::new("bob", "not accepted")).await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("unavailable", true), "{error}");
    post.unset("bob", "busy");
    post.until_it_waits(&waits, "locked").await;
    assert!(post.read("bob").is_empty() && post.events("bob").is_empty());
    drop(locked);
    post.landed(&waits).await;
    assert_eq!(bodies(&post.read("bob")), ["accepted before"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_program_took_is_not_typed_again_because_that_could_not_be_written_down() {
    let post = Post::new().await;
    post.up("bob").await;
    post.set("bob", "drop", "1");
    let sent = post.send("bob", "taken").await;
    let dropped = || async { (post.events("bob") == ["enter-dropped"]).then_some(()) };
    eventually("it is typed", dropped).await;
    let locked = lock(&post);
    eventually("the program took it", || async { (post.read("bob").len() == 1).then_some(()) }).await;
    // Long enough for the first try to fail.
    eventually("nobody knows", || async {
        let refused = post.send_new(super::new("bob", "another")).await;
        refused.is_err().then_some(())
    })
    .await;
    assert_eq!(post.rig.fleet.mail().get(sent.message.id).await.unwrap().progress.state, State::Typed);
    drop(locked);
    post.landed(&sent).await;
    assert_eq!(bodies(&post.read("bob")), ["taken"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_kept_long_enough_goes_with_its_references_and_what_still_waits_stays() {
    let daemon = Daemon::on(root()).await;
    peer(&daemon, "bob");
    daemon.put("map", "a map");
    let old = daemon.ask(&["send", "bob", "--message", "old", "--attachment", "map", "--wait", "submitted"]);
    let young = daemon.ask(&["send", "bob", "--message", "young", "--wait", "submitted"]);
    works(&daemon, "bob").await;
    let waits = daemon.ask(&["send", "bob", "--message", "waits"]);
    daemon.signal(rustix::process::Signal::TERM);
    let (_, root) = daemon.ended().await;
    // As if it had been long ago.
    let store = rusqlite::Connection::open(root.paths().mail()).unwrap();
    let long_ago = "UPDATE messages SET since_ms = 0 WHERE body IN ('old', 'waits')";
    assert_eq!(store.execute(long_ago, []).unwrap(), 2);
    drop(store);
    let daemon = Daemon::on(root).await;
    eventually("the old one is gone", || async {
        let shown = daemon.coalmine(&["mail", "show", old["id"].as_str().unwrap()]);
        (shown.code == 3).then_some(())
    })
    .await;
    assert_eq!(daemon.ask(&["attachment", "list", "--session", "agent-bob"])["items"], json!([]));
    let left = daemon.ask(&["mail", "list"]);
    let ids: Vec<_> = left["messages"].as_array().unwrap().iter().map(|message| message["id"].clone()).collect();
    assert_eq!(ids, [waits["id"].clone(), young["id"].clone()]);
    assert_eq!(bodies(&read(&home(daemon.folder(), "bob"))), ["old", "young"]);
}
