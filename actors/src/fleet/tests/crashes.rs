//! Peers whose actor dies, at every moment: their processes never notice, and the successor goes on.

use super::house::{House, id, settle, soon, stop};
use crate::{
    names::Generation,
    peer::{
        input::{Input, SessionExit},
        message::PeerMsg,
    },
    ports::LifeKey,
    testing::Op,
    view::PhaseName,
};

const BOB: &str = "shell-bob";

fn life(generation: u64) -> LifeKey {
    LifeKey { identity: id(BOB), generation: Generation(generation) }
}

impl House {
    /// The actor dies in the middle of whatever it does.
    async fn kill_actor(&self, identity: &str) {
        let actor = self.entry(identity).actor;
        actor.kill();
        soon(actor.wait(None)).await.unwrap();
        self.until_true(|house| house.entry(identity).actor.get_id() != actor.get_id()).await;
    }

    fn count(&self, call: &str) -> usize {
        self.world.script.count(call)
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_panics_finds_its_server_and_its_canary_alive() {
    let house = House::with_bob_up().await;
    let (before, view) = (house.entry(BOB).actor.get_id(), house.view(BOB));
    house.world.script.panic(Op::HealSocket);
    house.world.lose_socket(&id(BOB));
    house.until_true(|house| house.entry(BOB).actor.get_id() != before && house.count("find ") == 1).await;
    let after = house.until(BOB, PhaseName::Up).await;
    assert_eq!((after.server_pid, after.canary_pid), (view.server_pid, view.canary_pid));
    settle().await;
    assert_eq!((house.count("started "), house.count("arm "), house.count("open-session ")), (1, 1, 1));
    assert!(house.world.told().contains(&"actor-failed".to_owned()));
    // And it is still a peer.
    house.world.kill_server(&id(BOB));
    house.until_view(BOB, |view| view.generation == Generation(2) && view.phase == PhaseName::Up).await;
}

#[tokio::test(start_paused = true)]
async fn an_action_that_panics_is_not_waited_for_without_end() {
    for op in [Op::Start, Op::Arm, Op::OpenSession] {
        let house = House::with(&["bob"]).await;
        house.world.script.panic_later(op);
        house.ask(BOB, PeerMsg::Start).await.unwrap();
        house.until(BOB, PhaseName::Up).await;
        assert!(house.world.watched(&id(BOB)), "{op:?}");
    }
    let house = House::with_bob_up().await;
    house.world.script.panic_later(Op::End);
    house.ask(BOB, stop).await.unwrap();
    house.until(BOB, PhaseName::Stopped).await;
    house.world.script.panic_later(Op::Load);
    house.kill_actor(BOB).await;
    house.ask(BOB, PeerMsg::Start).await.unwrap_or_else(|error| panic!("{error}"));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_is_under_way_is_adopted_and_its_generation_not_given_out_again() {
    for op in [Op::Start, Op::Save, Op::Arm, Op::OpenSession] {
        let house = House::with(&["bob"]).await;
        house.world.hold(op);
        house.ask(BOB, PeerMsg::Start).await.unwrap();
        settle().await;
        house.kill_actor(BOB).await;
        settle().await;
        let loads = house.count("load ");
        house.world.release(op);
        let view = house.until(BOB, PhaseName::Up).await;
        assert_eq!((view.generation, house.count("started ")), (Generation(1), 1), "{op:?}");
        assert_eq!((loads, house.count("load ")), (1, 2), "it waited for what was under way: {op:?}");
        assert_eq!((house.count("arm "), house.count("open-session ")), (1, 1), "{op:?}");
        assert!(house.world.watched(&id(BOB)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_successor_saves_is_newer_than_what_its_predecessor_saved() {
    let house = House::with_bob_up().await;
    house.kill_actor(BOB).await;
    house.ask(BOB, stop).await.unwrap();
    house.until(BOB, PhaseName::Stopped).await;
    settle().await;
    assert!(house.world.store.file(&id(BOB)).unwrap().lives.is_empty(), "the last save is on disk");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_under_way_is_not_begun_a_second_time() {
    let house = House::with_bob_up().await;
    house.world.hold(Op::End);
    house.ask(BOB, stop).await.unwrap();
    settle().await;
    house.kill_actor(BOB).await;
    settle().await;
    house.world.release(Op::End);
    house.until(BOB, PhaseName::Stopped).await;
    assert_eq!((house.count("end "), house.world.recorded(&life(1))), (1, false));
    house.until_true(|house| house.world.store.file(&id(BOB)).unwrap().lives.is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_death_that_is_being_cleared_up_is_cleared_up_by_the_successor() {
    for op in [Op::Sweep, Op::Settle] {
        let house = House::with_bob_up().await;
        house.world.hold(op);
        house.world.kill_server(&id(BOB));
        settle().await;
        house.kill_actor(BOB).await;
        settle().await;
        house.world.release(op);
        house.until_view(BOB, |view| view.generation == Generation(2) && view.phase == PhaseName::Up).await;
        assert_eq!(house.view(BOB).deaths_recent, 1, "counted once: {op:?}");
        house.until_true(|house| house.world.store.file(&id(BOB)).unwrap().lives.len() == 1).await;
        assert!(house.world.recorded(&life(1)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_dies_while_its_actor_is_away_is_recorded_and_followed() {
    let house = House::with_bob_up().await;
    house.world.hold(Op::Load);
    house.kill_actor(BOB).await;
    house.world.kill_server(&id(BOB));
    house.world.release(Op::Load);
    house.until_view(BOB, |view| view.generation == Generation(2) && view.phase == PhaseName::Up).await;
    assert!(house.world.recorded(&life(1)));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_leaves_while_its_actor_is_away_is_noticed() {
    let house = House::with_bob_up().await;
    house.entry(BOB).actor.kill();
    house.world.exit_session(&id(BOB), SessionExit::Status(0));
    house.until(BOB, PhaseName::Stopped).await;
    assert_eq!(house.count("end shell-bob-g1 why=session-exit"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_waited_for_a_start_survives_the_actor() {
    let house = House::with(&["bob"]).await;
    house.world.hold(Op::Start);
    house.ask(BOB, PeerMsg::Start).await.unwrap();
    house.ask(BOB, stop).await.unwrap();
    settle().await;
    house.kill_actor(BOB).await;
    house.world.release(Op::Start);
    house.until(BOB, PhaseName::Stopped).await;
    assert!(house.world.alive(&id(BOB)).is_none());
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_proved_to_be_ours_is_looked_for_again_when_it_is_started() {
    let house = House::with_bob_up().await;
    house.world.block(&life(1), Some("pid 7 (tmux)"));
    house.kill_actor(BOB).await;
    let view = house.until(BOB, PhaseName::Blocked).await;
    assert_eq!(view.detail, "pid 7 (tmux)");
    assert_eq!(house.ask(BOB, stop).await.unwrap_err().code(), "wrong-phase");
    house.world.block(&life(1), None);
    house.ask(BOB, PeerMsg::Start).await.unwrap();
    house.until(BOB, PhaseName::Up).await;
    assert_eq!(house.count("started "), 1);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_fails_six_times_in_a_minute_is_left_down_and_named() {
    let house = House::with_bob_up().await;
    for _ in 0..5 {
        house.kill_actor(BOB).await;
        house.until_true(|house| house.entry(BOB).actor.get_status() == ractor::ActorStatus::Running).await;
    }
    house.entry(BOB).actor.kill();
    let view = house.until(BOB, PhaseName::Blocked).await;
    assert!(view.detail.contains("its actor failed too often"), "{}", view.detail);
    settle().await;
    assert!(house.world.told().contains(&"actor-down".to_owned()));
    assert!(house.world.alive(&id(BOB)).is_some() && house.world.watched(&id(BOB)), "its processes never noticed");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_fails_does_not_disturb_another() {
    let house = House::with(&["alice", "bob"]).await;
    for peer in ["shell-alice", BOB] {
        house.ask(peer, PeerMsg::Start).await.unwrap();
        house.until(peer, PhaseName::Up).await;
    }
    let alice = house.entry("shell-alice").actor.get_id();
    house.world.script.panic(Op::HealSocket);
    house.tell(BOB, Input::SocketLost);
    house.until_true(|house| house.count("find shell-bob") == 1).await;
    assert_eq!(house.entry("shell-alice").actor.get_id(), alice);
}
