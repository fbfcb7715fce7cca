//! What is asked of a peer before it has read its file.

use super::house::{BOOT, House, id, settle, soon, stop};
use crate::{
    names::Generation,
    peer::{
        file::{Desired, Life, LifePhase, PeerFile},
        message::PeerMsg,
    },
    testing::{FakeWorld, Op},
    view::PhaseName,
};

const BOB: &str = "shell-bob";

/// A fleet whose peer can not read its file yet.
async fn loading() -> House {
    let world = FakeWorld::with(super::house::document(vec![super::house::spec("bob", None)]));
    world.hold(Op::Load);
    let house = House::start(world).await;
    house.booted().await.unwrap();
    house
}

#[tokio::test(start_paused = true)]
async fn requests_that_waited_are_answered_before_later_ones() {
    let house = loading().await;
    let actor = house.entry(BOB).actor;
    let stopping = tokio::spawn({
        let actor = actor.clone();
        async move { actor.call(stop, None).await }
    });
    settle().await;
    // In one mailbox: what was read, and a start that was sent before the actor came to it.
    actor.cast(PeerMsg::Booted(Ok((PeerFile::default(), Vec::new())))).unwrap();
    let starting = soon(actor.call(PeerMsg::Start, None)).await;
    assert_eq!(soon(stopping).await.unwrap().unwrap().unwrap().unwrap().was, PhaseName::Asleep);
    assert_eq!(starting.unwrap().unwrap().unwrap().was, PhaseName::Stopped, "the start came after the stop");
    house.until(BOB, PhaseName::Up).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_is_answered_when_the_file_was_read() {
    let house = loading().await;
    let actor = house.entry(BOB).actor;
    let waiting = tokio::spawn(async move { actor.call(PeerMsg::Start, None).await });
    settle().await;
    assert!(!waiting.is_finished());
    house.world.release(Op::Load);
    soon(waiting).await.unwrap().unwrap().unwrap().unwrap();
    house.until(BOB, PhaseName::Up).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_can_not_be_read_refuses_what_waits_and_is_read_again() {
    let house = loading().await;
    house.world.script.fail_always(Op::Load, Some(FakeWorld::broken()));
    let actor = house.entry(BOB).actor;
    let waiting = tokio::spawn(async move { actor.call(PeerMsg::Start, None).await });
    settle().await;
    house.world.release(Op::Load);
    let refused = soon(waiting).await.unwrap().unwrap().unwrap();
    assert_eq!(refused.unwrap_err().code(), "io");
    assert!(house.view(BOB).detail.contains("can not write"), "{}", house.view(BOB).detail);
    house.world.script.fail_always(Op::Load, None);
    house.ask(BOB, PeerMsg::Start).await.unwrap();
    house.until(BOB, PhaseName::Up).await;
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_that_nobody_reads_is_bounded() {
    let house = loading().await;
    let actor = house.entry(BOB).actor;
    let asked: Vec<_> = (0..100)
        .map(|_| {
            let actor = actor.clone();
            tokio::spawn(async move { actor.call(PeerMsg::Reset, None).await })
        })
        .collect();
    settle().await;
    house.world.release(Op::Load);
    let mut answered = 0;
    for asked in asked {
        answered += usize::from(matches!(soon(asked).await, Ok(Ok(ractor::rpc::CallResult::Success(Ok(_))))));
    }
    assert_eq!(answered, 64, "the others heard at once that they were not taken in");
}

#[tokio::test(start_paused = true)]
async fn what_ran_before_the_daemon_and_does_not_any_more_is_recorded_and_started_again() {
    let world = FakeWorld::with(super::house::document(vec![super::house::spec("bob", None)]));
    let left = Life {
        generation: Generation(7),
        boot_id: BOOT.into(),
        phase: LifePhase::Up,
        started_boot_ms: 0,
        up_boot_ms: None,
        command: Vec::new(),
        held_by: String::new(),
        resumed: false,
        replied: false,
        server: None,
        canary: None,
    };
    let file = PeerFile { highest: Generation(7), lives: vec![left], desired: Desired::Up, ..PeerFile::default() };
    world.store.put(&id(BOB), file);
    let house = House::start(world).await;
    house.booted().await.unwrap();
    let view = house.until(BOB, PhaseName::Up).await;
    assert_eq!(view.generation, Generation(8));
    assert_eq!(house.world.script.count("settle shell-bob-g7 unknown"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_should_run_and_never_came_to_is_started() {
    let world = FakeWorld::with(super::house::document(vec![super::house::spec("bob", None)]));
    world.store.put(&id(BOB), PeerFile { highest: Generation(7), desired: Desired::Up, ..PeerFile::default() });
    let house = House::start(world).await;
    house.booted().await.unwrap();
    assert_eq!(house.until(BOB, PhaseName::Up).await.generation, Generation(8));
}
