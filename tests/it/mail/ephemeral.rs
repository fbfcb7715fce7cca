//! One task a life: each message gets a life of its own, in order, and each life an end.

use super::{
    Post, bodies,
    crash::{home_of, root},
    home, new, read,
};
use crate::support::{Daemon, PATIENCE, eventually};
use coalmine_actors::{
    fleet::request::CreatePeer,
    peer::one_task::{OneTask, WakePolicy},
    view::PhaseName,
};

/// A fleet in which a life ends so long after its reply, and after so long in silence, milliseconds.
async fn post(after_reply_ms: u64, silence_ms: u64) -> Post {
    let one_task = OneTask { after_reply_ms, silence_ms };
    let config = coalmine::config::Config { one_task, ..Default::default() };
    let post = Post::with(|builder| builder.config(config)).await;
    let wake_policy = Some(WakePolicy::Ephemeral);
    post.make("bob", CreatePeer { wake_policy, ..CreatePeer::default() }).await;
    post
}

/// What is longer than any test.
const NEVER_MS: u64 = 3_600_000;

impl Post {
    /// Waits until bob has read so many, and answers as bob's present life.
    async fn reply_to(&self, count: usize) {
        eventually("it was read", || async { (self.read("bob").len() == count).then_some(()) }).await;
        let (sender, session) = self.rig.fleet.sender(Some(&self.token("bob"))).unwrap();
        self.rig.fleet.mail().send(sender, session, new("ann", "it is done")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_message_gets_a_life_of_its_own_which_ends_after_its_reply() {
    let post = post(500, NEVER_MS).await;
    post.asleep("ann").await;
    let mut sent = Vec::new();
    for body in ["one", "two", "three"] {
        sent.push(post.send("bob", body).await);
    }
    for (count, message) in sent.iter().enumerate() {
        let landed = post.landed(message).await;
        assert_eq!(landed.progress.generation.unwrap().0, count as u64 + 1, "{landed:?}");
        if let Some(next) = sent.get(count + 1) {
            post.until_it_waits(next, "one a life").await;
        }
        post.reply_to(count + 1).await;
    }
    let view = post.rig.until("bob", "asleep", |view| view.phase == PhaseName::Asleep).await;
    assert_eq!((view.generation.0, view.deaths_recent), (3, 0));
    let read = post.read("bob");
    assert_eq!(bodies(&read), ["one", "two", "three"]);
    assert_eq!(read.iter().map(|(life, _)| *life).collect::<Vec<_>>(), [1, 2, 3]);
    let begun = std::fs::read_to_string(post.home("bob").join("begun")).unwrap();
    assert_eq!(begun, "1 fresh\n2 fresh\n3 fresh\n", "nothing is gone on with");
    assert!(post.rig.records().is_empty(), "every end was meant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_life_ends_in_its_time_and_one_that_is_done_at_once() {
    let post = post(NEVER_MS, 1_500).await;
    let silent = post.send("bob", "say nothing").await;
    post.landed(&silent).await;
    let first = post.token("bob");
    post.rig.until("bob", "asleep", |view| view.phase == PhaseName::Asleep).await;
    let next = post.send("bob", "be quick").await;
    post.landed(&next).await;
    let second = post.token("bob");
    let error = post.rig.fleet.done(Some(&first), "bob").await.unwrap_err();
    assert_eq!(error.code(), "not-in-session", "that life is over");
    post.rig.fleet.done(Some(&second), "bob").await.unwrap();
    let view = post.rig.until("bob", "asleep", |view| view.phase == PhaseName::Asleep).await;
    assert_eq!(view.generation.0, 2);
    let claim = std::fs::read_to_string(post.rig.fleet.paths().peer(&view.identity).join("claim-g2")).unwrap();
    assert!(claim.contains("why=task-over") && claim.contains("by=peer"), "{claim}");
    let error = post.rig.fleet.done(None, "bob").await.unwrap_err();
    assert_eq!(error.code(), "wrong-phase", "nothing is left to be done with");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_goes_on_after_its_reply_as_long_as_something_is_seen_of_it() {
    let post = post(2_000, NEVER_MS).await;
    post.asleep("ann").await;
    post.set("bob", "chatter", "");
    let sent = post.send("bob", "take your time").await;
    post.landed(&sent).await;
    post.reply_to(1).await;
    let lines = || post.events("bob").iter().filter(|event| *event == "chatter").count();
    let before = lines();
    // It writes every 100 ms: four seconds, where two are the limit.
    eventually("it has gone on", || async { (lines() >= before + 40).then_some(()) }).await;
    let view = post.rig.view("bob");
    assert_eq!((view.phase, view.generation.0), (PhaseName::Up, 1));
    post.unset("bob", "chatter");
    post.rig.until("bob", "asleep", |view| view.phase == PhaseName::Asleep).await;
}

/// The next daemon has neither forgotten that the life has its task, nor what waits for another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_dies_gives_no_life_a_second_task() {
    let daemon = Daemon::on(root()).await;
    daemon.ask(&[
        "create",
        "bob",
        "--runtime",
        "agent",
        "--wake-policy",
        "ephemeral",
        "--env",
        &home_of(&daemon, "bob"),
    ]);
    daemon.ask(&["send", "bob", "--message", "first", "--wait", "submitted"]);
    daemon.ask(&["send", "bob", "--message", "second"]);
    daemon.signal(rustix::process::Signal::KILL);
    let (_, root) = daemon.ended().await;
    let daemon = Daemon::on(root).await;
    let waits = || async {
        let page = daemon.ask(&["mail", "list", "bob", "--state", "queued"]);
        let why = page["messages"][0]["waits_because"].as_str().unwrap_or_default().to_owned();
        why.contains("one a life").then_some(())
    };
    eventually("it waits for the next life", waits).await;
    let bob = daemon.ask(&["show", "bob"]);
    assert_eq!((&bob[0]["gen"], &bob[0]["mail"]["count"]), (&1.into(), &1.into()));
    daemon.ask(&["done", "bob"]);
    let home = home(daemon.folder(), "bob");
    eventually("the second was read", || async { (read(&home).len() == 2).then_some(()) }).await;
    let read = read(&home);
    assert_eq!((bodies(&read), read[0].0, read[1].0), (vec!["first", "second"], 1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_keeps_what_takes_one_task_down_as_any_other() {
    let post = post(NEVER_MS, NEVER_MS).await;
    let sent = post.send("bob", "x").await;
    post.landed(&sent).await;
    let second = post.send("bob", "y").await;
    post.until_it_waits(&second, "one a life").await;
    post.rig.fleet.stop("bob", PATIENCE).await.unwrap();
    assert_eq!(post.over(&second).await.progress.reason.unwrap().code, "stopped");
}
