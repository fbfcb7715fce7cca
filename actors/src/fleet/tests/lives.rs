//! Lives through the whole tree: started, killed, left, ended.

use super::house::{House, id, settle, stop};
use crate::{
    names::Generation,
    peer::{
        input::{Input, SessionExit},
        message::PeerMsg,
    },
    ports::{LifeKey, ProcessEnd},
    testing::{FakeWorld, Op},
    view::PhaseName,
};
use std::time::Duration;

const BOB: &str = "shell-bob";

fn life(generation: u64) -> LifeKey {
    LifeKey { identity: id(BOB), generation: Generation(generation) }
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_made_started_and_up_each_step_after_the_one_before() {
    let house = House::start(FakeWorld::new()).await;
    house.booted().await.unwrap();
    assert!(house.create("bob").await.unwrap());
    assert_eq!(house.view(BOB).phase, PhaseName::Asleep);
    let accepted = house.ask(BOB, PeerMsg::Start).await.unwrap();
    assert_eq!((accepted.generation, accepted.was), (Generation(1), PhaseName::Asleep));
    let view = house.until(BOB, PhaseName::Up).await;
    assert_eq!((view.generation, view.unwatched), (Generation(1), false));
    assert!(view.server_pid.is_some() && view.canary_pid.is_some());
    let script = &house.world.script;
    let order = ["save shell-bob r1", "started shell-bob-g1", "arm ", "open-session ", "watch-screen "];
    assert!(order.map(|call| script.place(call)).is_sorted(), "{:#?}", script.calls());
    settle().await;
    assert_eq!(house.world.told(), ["daemon-started", "created", "starting", "canary", "up"]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_claims_before_it_kills_and_leaves_no_record() {
    let house = House::with_bob_up().await;
    house.ask(BOB, stop).await.unwrap();
    let view = house.until(BOB, PhaseName::Stopped).await;
    assert_eq!(view.last_end.unwrap().rungs, ["kill-server"]);
    let script = &house.world.script;
    assert!(script.place("claim shell-bob-g1") < script.place("kill shell-bob-g1"));
    settle().await;
    assert_eq!((script.count("settle"), house.world.recorded(&life(1))), (0, false));
    assert!(house.world.store.file(&id(BOB)).unwrap().lives.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_killed_server_is_recorded_once_with_its_status_and_followed_by_the_next_life() {
    let house = House::with_bob_up().await;
    house.world.kill_server(&id(BOB));
    let view = house.until_view(BOB, |view| view.generation == Generation(2) && view.phase == PhaseName::Up).await;
    assert_eq!((view.deaths_recent, view.restarts, view.records_owed), (1, 1, 0));
    assert_eq!(house.world.notices(&life(1)), [ProcessEnd::Signaled { signal: 9, core: false }]);
    let script = &house.world.script;
    assert!(script.place("sweep shell-bob-g1") < script.place("started shell-bob-g2"));
    settle().await;
    assert_eq!(house.world.store.file(&id(BOB)).unwrap().lives.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_killed_canary_is_replaced_within_a_moment_and_leaves_no_record() {
    let house = House::with_bob_up().await;
    let killed = house.view(BOB).canary_pid;
    house.world.kill_canary(&id(BOB));
    house.until_view(BOB, |view| view.canary_pid.is_some() && view.canary_pid != killed).await;
    assert!(house.world.watched(&id(BOB)));
    assert_eq!(house.world.script.count("settle"), 0);
}

#[tokio::test(start_paused = true)]
async fn six_deaths_quarantine_it_and_a_reset_frees_it() {
    let house = House::with_bob_up().await;
    for generation in 1..=6 {
        house.until_view(BOB, |view| view.generation == Generation(generation) && view.phase == PhaseName::Up).await;
        house.world.kill_server(&id(BOB));
    }
    let view = house.until(BOB, PhaseName::Quarantined).await;
    assert!(view.detail.contains("coalmine reset shell-bob"), "{}", view.detail);
    assert_eq!(house.ask(BOB, PeerMsg::Start).await.unwrap_err().code(), "wrong-phase");
    house.ask(BOB, PeerMsg::Reset).await.unwrap();
    house.ask(BOB, PeerMsg::Start).await.unwrap();
    house.until(BOB, PhaseName::Up).await;
}

#[tokio::test(start_paused = true)]
async fn a_death_overtakes_a_flood_of_messages() {
    const FLOOD: usize = 10_000;
    let house = House::with_bob_up().await;
    for _ in 0..FLOOD {
        house.tell(BOB, Input::SocketLost);
    }
    house.world.kill_server(&id(BOB));
    house.until_view(BOB, |view| view.generation == Generation(2)).await;
    // Each message that came before the death was heard asked for the socket; those after it found nobody.
    let before = house.world.script.count("heal-socket shell-bob-g1");
    assert!(before < FLOOD / 10, "{before} messages were heard before the death");
}

#[tokio::test(start_paused = true)]
async fn a_program_that_leaves_is_heard_of_through_the_journal() {
    let house = House::with_bob_up().await;
    house.world.exit_session(&id(BOB), SessionExit::Status(3));
    house.until_view(BOB, |view| view.generation == Generation(2) && view.phase == PhaseName::Up).await;
    house.world.exit_session(&id(BOB), SessionExit::Status(0));
    let view = house.until(BOB, PhaseName::Stopped).await;
    assert_eq!((view.deaths_recent, view.detail.as_str()), (1, "its program exited with status 0"));
    assert_eq!(house.world.script.count("settle"), 0, "both ends were claimed");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_can_not_be_written_is_owed_shown_and_tried_until_it_is() {
    let house = House::with_bob_up().await;
    house.world.script.fail_always(Op::Settle, Some(FakeWorld::broken()));
    house.world.kill_server(&id(BOB));
    let view = house.until_view(BOB, |view| view.generation == Generation(2) && view.phase == PhaseName::Up).await;
    assert_eq!(view.records_owed, 1);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let tries = house.world.script.count("settle");
    assert!((6..=10).contains(&tries), "{tries} tries in a minute");
    house.world.script.fail_always(Op::Settle, None);
    house.until_view(BOB, |view| view.records_owed == 0).await;
    assert!(house.world.recorded(&life(1)));
    assert_eq!(house.world.told().iter().filter(|word| *word == "record-owed").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_marked_asked_ever_more_rarely_and_the_mark_clears_by_itself() {
    let house = House::with_bob_up().await;
    house.world.silence(&life(1), true);
    house.tell(BOB, Input::Reachable(Generation(1), false));
    house.until_view(BOB, |view| view.unreachable && view.phase == PhaseName::Up).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert!(house.world.script.count("answers") < 400, "no poll without end at full speed");
    house.world.silence(&life(1), false);
    house.until_view(BOB, |view| !view.unreachable).await;
    let asked = house.world.script.count("answers");
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(house.world.script.count("answers"), asked, "nobody asks any more");
    assert_eq!((house.world.script.count("end "), house.world.script.count("settle")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn nobody_asks_a_silent_server_that_has_died() {
    let house = House::with_bob_up().await;
    house.world.silence(&life(1), true);
    house.tell(BOB, Input::Reachable(Generation(1), false));
    house.until_view(BOB, |view| view.unreachable).await;
    house.world.kill_server(&id(BOB));
    house.until_view(BOB, |view| view.generation == Generation(2) && !view.unreachable).await;
    let asked = house.world.script.count("answers");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(house.world.script.count("answers"), asked);
}

#[tokio::test(start_paused = true)]
async fn a_lost_socket_is_healed_once() {
    let house = House::with_bob_up().await;
    house.world.lose_socket(&id(BOB));
    house.until_true(|house| house.world.told().contains(&"socket-healed".into())).await;
    assert_eq!(house.world.script.count("heal-socket shell-bob-g1"), 1);
}
