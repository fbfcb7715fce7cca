//! Whether a life goes on with the last session, by who wants it and what about.

use super::{Post, bodies, new};
use crate::support::{PATIENCE, kill};
use coalmine_actors::{
    fleet::request::CreatePeer,
    mail::MailView,
    view::{Event, PhaseName},
};
use jiff::SignedDuration;

impl Post {
    /// A peer that sleeps soon.
    async fn drowsy(&self, name: &str) {
        let idle_after = Some(SignedDuration::from_secs(2));
        self.make(name, CreatePeer { idle_after, ..CreatePeer::default() }).await;
    }

    async fn lands_and_it_sleeps(&self, name: &str, sent: &MailView) {
        self.landed(sent).await;
        self.rig.until(name, "asleep", |view| view.phase == PhaseName::Asleep).await;
    }

    /// How its lives began, and why.
    async fn begun(&self, name: &str, lives: usize) -> Vec<String> {
        let identity = format!("agent-{name}");
        let of = |event: &Event| event.get("identity") == Some(&identity);
        let starts = self.rig.until_events("starting", lives).await;
        let word = |event: &Event, key: &str| event.get(key).unwrap_or_default().to_owned();
        let told: Vec<_> = starts
            .iter()
            .filter(|event| of(event))
            .map(|event| (format!("{} {}", word(event, "gen"), word(event, "begins")), word(event, "because")))
            .collect();
        // What was decided is what the program was started with.
        let log = std::fs::read_to_string(self.home(name).join("begun")).unwrap();
        assert_eq!(told.iter().map(|(began, _)| began.as_str()).collect::<Vec<_>>(), log.lines().collect::<Vec<_>>());
        told.into_iter().map(|(began, because)| format!("{began} {because}")).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sleeper_goes_on_for_its_own_topics_and_for_people_and_else_begins_afresh() {
    let post = Post::new().await;
    post.drowsy("bob").await;
    for topic in [Some("build"), Some("build"), Some("lunch"), Some("build"), None] {
        let sent = post.send_about("bob", topic).await;
        post.lands_and_it_sleeps("bob", &sent).await;
    }
    let sent = post.send("bob", "a person").await;
    post.landed(&sent).await;
    kill(post.rig.view("bob").server_pid.unwrap());
    post.rig.until("bob", "up again", |view| view.generation.0 == 7 && view.phase == PhaseName::Up).await;
    assert_eq!(
        post.begun("bob", 7).await,
        [
            "1 fresh first-life",
            "2 resume known-topic",
            "3 fresh other-topic",
            "4 fresh other-topic",
            "5 fresh no-topic",
            "6 resume person",
            "7 fresh death",
        ]
    );
    assert_eq!(bodies(&post.read("bob")), ["build", "build", "lunch", "build", "no topic", "a person"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_and_a_start_after_a_stop_go_on_and_a_refresh_leaves_behind_what_was_said() {
    let post = Post::new().await;
    post.up("bob").await;
    post.rig.fleet.restart("bob", PATIENCE).await.unwrap();
    post.rig.fleet.stop("bob", PATIENCE).await.unwrap();
    post.rig.fleet.start("bob", PATIENCE).await.unwrap();
    // What is queued stays: it waits for the life that takes it.
    post.works("bob").await;
    let sent = post.send_new(new("bob", "still queued")).await.unwrap();
    post.until_it_waits(&sent, "it works").await;
    let view = post.rig.fleet.refresh("bob", PATIENCE).await.unwrap();
    assert_eq!((view.phase, view.generation.0), (PhaseName::Up, 4));
    post.unset("bob", "busy");
    let landed = post.landed(&sent).await;
    assert_eq!((landed.progress.generation.unwrap().0, landed.progress.redelivered), (4, false));
    assert_eq!(
        post.begun("bob", 4).await,
        ["1 fresh first-life", "2 resume person", "3 resume person", "4 fresh refresh"]
    );
    assert!(post.rig.records().is_empty(), "every end was meant");
}
