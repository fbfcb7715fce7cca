//! What the next life begins with, and one task a life; through the whole tree.

use super::house::{House, id, settle, stop};
use crate::{
    names::Generation,
    peer::{
        beginning::Wanted,
        input::Input,
        message::{PeerMsg, Reply},
        one_task::WakePolicy,
    },
    registry::document::PeerSpec,
    testing::{FakeWorld, Op},
    view::PhaseName,
};
use std::time::Duration;

const AGENT: &str = "agent-anna";

/// The request of a message on this topic.
fn mail(topic: &'static str) -> impl FnOnce(Reply) -> PeerMsg {
    move |reply| PeerMsg::Wake(Wanted::ForMessage { topic: Some(topic.into()) }, reply)
}

impl House {
    async fn falls_asleep(&self, after: Duration) {
        tokio::time::sleep(after).await;
        self.world.fall_idle(&id(AGENT));
        self.until(AGENT, PhaseName::Asleep).await;
    }

    fn given(&self, generation: u64, topic: &str) {
        self.tell(AGENT, Input::Given(Generation(generation), Some(topic.into())));
    }

    /// Whether this life was started to go on.
    fn goes_on(&self, generation: u64) -> bool {
        let opened = |args: &str| self.world.script.count(&format!("open-session {AGENT}-g{generation} {args}"));
        assert_eq!(opened("agent"), 1, "a session was opened");
        opened("agent --continue") == 1
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn a_wake_goes_on_for_a_known_topic_and_says_why() {
    let house = House::with_agent_that(|anna| anna).await;
    house.given(1, "build");
    house.falls_asleep(HOUR).await;
    for (generation, topic, goes_on) in [(2, "build", true), (3, "lunch", false), (4, "build", false)] {
        house.ask(AGENT, mail(topic)).await.unwrap();
        house.until_life(AGENT, generation).await;
        assert_eq!(house.goes_on(generation), goes_on, "life {generation}");
        house.given(generation, topic);
        house.falls_asleep(HOUR).await;
    }
    let begun =
        ["because=first-life", "begins=resume because=known-topic", "because=other-topic", "because=other-topic"];
    for (line, words) in house.tells("starting").iter().zip(begun) {
        assert!(line.contains(words), "{words} is not in {line}");
    }
    assert_eq!(house.world.store.file(&id(AGENT)).unwrap().topics, ["build"]);
}

#[tokio::test(start_paused = true)]
async fn a_wake_that_fails_costs_nothing_that_there_was_to_go_on_with() {
    let house = House::with_agent_that(|anna| anna).await;
    house.given(1, "build");
    house.falls_asleep(HOUR).await;
    // Nothing can be started: tried again, as it was decided.
    house.world.script.fail_always(Op::Start, Some(FakeWorld::broken()));
    house.ask(AGENT, mail("build")).await.unwrap();
    house.until(AGENT, PhaseName::Backoff).await;
    let file = house.world.store.file(&id(AGENT)).unwrap();
    assert!(file.resume && file.wanted.is_some(), "{file:?}");
    // Also by an actor that comes after this one.
    house.entry(AGENT).actor.kill();
    house.world.script.fail_always(Op::Start, None);
    let view = house.until(AGENT, PhaseName::Up).await;
    assert!(house.goes_on(view.generation.0));
    settle().await;
    let file = house.world.store.file(&id(AGENT)).unwrap();
    assert!(!file.resume && file.wanted.is_none(), "only now: {file:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_begins_afresh_and_a_start_after_a_stop_does_not() {
    let house = House::with_agent_that(|anna| anna).await;
    house.ask(AGENT, stop).await.unwrap();
    house.until(AGENT, PhaseName::Stopped).await;
    house.ask(AGENT, PeerMsg::Start).await.unwrap();
    house.until_life(AGENT, 2).await;
    house.ask(AGENT, PeerMsg::Refresh).await.unwrap();
    house.until_life(AGENT, 3).await;
    assert_eq!((house.goes_on(2), house.goes_on(3)), (true, false));
    assert_eq!(house.world.script.count("end agent-anna-g2 why=refresh"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_life_with_one_task_ends_after_its_reply_and_the_next_one_is_fresh() {
    let ephemeral = |anna| PeerSpec { wake_policy: Some(WakePolicy::Ephemeral), ..anna };
    let house = House::with_agent_that(ephemeral).await;
    assert_eq!(house.world.script.count("idle agent-anna-g1 600 s"), 1);
    house.given(1, "build");
    house.tell(AGENT, Input::Replied(Generation(1)));
    house.until_true(|house| house.world.script.count("idle agent-anna-g1 20 s") == 1).await;
    house.falls_asleep(Duration::from_secs(20)).await;
    assert_eq!(house.world.script.count("end agent-anna-g1 why=task-over"), 1);
    house.ask(AGENT, mail("build")).await.unwrap();
    house.until_life(AGENT, 2).await;
    assert!(!house.goes_on(2));
    // Silence ends it too, and `done` at once.
    house.falls_asleep(Duration::from_secs(600)).await;
    house.ask(AGENT, mail("build")).await.unwrap();
    house.until_life(AGENT, 3).await;
    let done = |reply| PeerMsg::Done(Some(Generation(3)), reply);
    house.ask(AGENT, done).await.unwrap();
    house.until(AGENT, PhaseName::Asleep).await;
    assert_eq!(house.ask(AGENT, done).await.unwrap_err().code(), "wrong-phase");
    assert_eq!(house.world.script.count("settle"), 0, "every end was meant");
}
