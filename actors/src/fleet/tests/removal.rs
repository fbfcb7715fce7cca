//! Births and removals: whole, or as if nothing had been asked.

use super::house::{House, document, id, settle, soon, spec, stop};
use crate::{
    fleet::message::FleetMsg,
    names::Generation,
    peer::{
        file::{Life, LifePhase, PeerFile},
        message::PeerMsg,
        restart_policy::RestartPolicy,
    },
    registry::document::{PeerSpec, RegistryPhase},
    testing::{FakeWorld, Op},
    view::PhaseName,
};
use std::{io::ErrorKind, time::Duration};

const BOB: &str = "shell-bob";

impl House {
    fn removing(&self, name: &str) -> tokio::task::JoinHandle<Result<(), String>> {
        let (fleet, name) = (self.fleet.clone(), name.parse().unwrap());
        tokio::spawn(async move {
            let answer = fleet.call(|reply| FleetMsg::Remove(name, reply), None).await.unwrap().unwrap();
            answer.map(drop).map_err(|error| error.code().to_owned())
        })
    }

    fn mark(&self, identity: &str) -> Option<Generation> {
        self.world.registry.document().retired.get(&id(identity)).copied()
    }
}

#[tokio::test(start_paused = true)]
async fn a_birth_that_can_not_be_written_leaves_nothing() {
    let house = House::with(&[]).await;
    house.world.registry.refuse(Some(ErrorKind::StorageFull));
    assert_eq!(house.create("bob").await.unwrap_err().code(), "io");
    assert!(house.world.registry.document().peers.is_empty() && house.directory.identities().is_empty());
    house.world.registry.refuse(None);
    assert!(house.create("bob").await.unwrap());
    assert!(!house.create("bob").await.unwrap(), "the second time nothing has to be done");
}

#[tokio::test(start_paused = true)]
async fn what_was_left_half_made_is_forgotten_before_anybody_can_make_it_anew() {
    let world = FakeWorld::with(document(vec![spec("bob", Some(RegistryPhase::Newborn))]));
    world.registry.hold();
    let house = House::start(world).await;
    let early = tokio::time::timeout(Duration::from_secs(1), house.booted()).await;
    assert!(early.is_err(), "the fleet is there while one is still to be forgotten");
    house.world.registry.release();
    soon(house.booted()).await.unwrap();
    assert!(house.world.registry.document().peers.is_empty());
    assert!(house.create("bob").await.unwrap());
    settle().await;
    assert_eq!(house.world.registry.document().peers[0].phase, None);
}

#[tokio::test(start_paused = true)]
async fn a_peer_whose_announcement_failed_was_never_made_and_leaves_nothing_to_its_namesake() {
    let house = House::with(&[]).await;
    let first = PeerSpec { cwd: "/elsewhere".into(), restart: Some(RestartPolicy::Never), ..spec("bob", None) };
    house.world.registry.refuse_save(2);
    assert_eq!(house.create_as(first).await.unwrap_err().code(), "io");
    assert!(house.world.registry.document().peers[0].is_newborn());
    assert!(house.create("bob").await.unwrap(), "it is new");
    assert_eq!(house.world.registry.document().peers, [spec("bob", None)]);
}

#[tokio::test(start_paused = true)]
async fn of_two_who_make_the_same_peer_at_once_one_has_made_it() {
    let house = House::with(&[]).await;
    house.world.registry.hold();
    let both = async { tokio::join!(house.create("bob"), house.create("bob")) };
    let release = async {
        settle().await;
        house.world.registry.release();
    };
    let ((one, other), ()) = tokio::join!(both, release);
    assert_ne!(one.unwrap(), other.unwrap());
}

#[tokio::test(start_paused = true)]
async fn an_absent_peer_is_removed_with_success() {
    let house = House::with(&[]).await;
    assert!(!house.remove("bob").await.unwrap().existed);
}

#[tokio::test(start_paused = true)]
async fn a_removed_peer_leaves_nothing_but_its_generation() {
    let house = House::with_bob_up().await;
    house.ask(BOB, stop).await.unwrap();
    house.until(BOB, PhaseName::Stopped).await;
    assert!(house.remove("bob").await.unwrap().existed);
    assert!(house.directory.get(&id(BOB)).is_none());
    assert!(house.world.registry.document().peers.is_empty());
    assert_eq!((house.mark(BOB), house.world.store.file(&id(BOB))), (Some(Generation(1)), None));
    house.create("bob").await.unwrap();
    house.ask(BOB, PeerMsg::Start).await.unwrap();
    assert_eq!(house.until(BOB, PhaseName::Up).await.generation, Generation(2), "a namesake goes on counting");
}

#[tokio::test(start_paused = true)]
async fn a_removal_ends_what_lives_and_nothing_starts_it_again() {
    let house = House::with_bob_up().await;
    house.world.hold(Op::End);
    let removing = house.removing("bob");
    house.until(BOB, PhaseName::Stopping).await;
    for request in [PeerMsg::Start, PeerMsg::Restart] {
        let refused = house.ask(BOB, request).await.unwrap_err();
        assert_eq!(refused.to_string(), "shell-bob is being removed");
    }
    house.world.release(Op::End);
    soon(removing).await.unwrap().unwrap();
    assert_eq!(house.world.script.count("end shell-bob-g1 why=remove"), 1);
    assert!(house.world.alive(&id(BOB)).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_removal_waits_for_the_record_of_a_death() {
    let house = House::with_bob_up().await;
    house.world.script.fail_always(Op::Settle, Some(FakeWorld::broken()));
    house.world.kill_server(&id(BOB));
    let removing = house.removing("bob");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!removing.is_finished() && house.world.script.count("purge") == 0);
    house.world.script.fail_always(Op::Settle, None);
    soon(removing).await.unwrap().unwrap();
    let calls = house.world.script.calls();
    let last_settle = calls.iter().rposition(|call| call.starts_with("settle ")).unwrap();
    assert!(last_settle < house.world.script.place("purge "));
}

#[tokio::test(start_paused = true)]
async fn the_generation_is_noted_before_what_could_tell_it_is_purged() {
    let house = House::with_bob_up().await;
    house.world.hold(Op::Purge);
    let removing = house.removing("bob");
    house.until_true(|house| house.world.script.count("purge") == 1).await;
    assert_eq!(house.mark(BOB), Some(Generation(1)));
    house.world.release(Op::Purge);
    soon(removing).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_save_that_is_in_the_air_does_not_come_back_after_the_purge() {
    let house = House::with_bob_up().await;
    house.ask(BOB, stop).await.unwrap();
    house.until(BOB, PhaseName::Stopped).await;
    house.world.hold(Op::Save);
    // Not answered before it is on disk.
    tokio::time::timeout(Duration::from_millis(1), house.ask(BOB, stop)).await.unwrap_err();
    let removing = house.removing("bob");
    settle().await;
    assert!(!removing.is_finished());
    house.world.release(Op::Save);
    soon(removing).await.unwrap().unwrap();
    settle().await;
    assert_eq!(house.world.store.file(&id(BOB)), None);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_failed_half_way_can_be_asked_for_again() {
    let house = House::with_bob_up().await;
    house.world.script.fail(Op::Purge, FakeWorld::broken());
    assert_eq!(house.remove("bob").await.unwrap_err().code(), "io");
    assert_eq!(house.world.registry.document().peers[0].phase, Some(RegistryPhase::Leaving));
    assert!(house.remove("bob").await.unwrap().existed);
    assert_eq!((house.mark(BOB), house.world.store.file(&id(BOB))), (Some(Generation(1)), None));
}

#[tokio::test(start_paused = true)]
async fn what_may_be_somebody_elses_is_not_removed_and_that_is_said_at_once() {
    let house = House::with_bob_up().await;
    let life = house.world.alive(&id(BOB)).unwrap();
    house.world.block(&life, Some("pid 7 (tmux)"));
    house.entry(BOB).actor.kill();
    house.until(BOB, PhaseName::Blocked).await;
    assert_eq!(house.remove("bob").await.unwrap_err().to_string(), "shell-bob is blocked: pid 7 (tmux)");
    assert_eq!(house.world.script.count("purge"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_identity_whose_runtime_is_not_defined_keeps_its_generation() {
    let mut bob = spec("bob", None);
    bob.runtimes.push("gone".parse().unwrap());
    let world = FakeWorld::with(document(vec![bob]));
    world.store.put(&id("gone-bob"), PeerFile { highest: Generation(9), ..PeerFile::default() });
    let house = House::start(world).await;
    house.booted().await.unwrap();
    house.remove("bob").await.unwrap();
    assert_eq!(house.mark("gone-bob"), Some(Generation(9)));
}

/// A life whose death is not settled.
fn owed() -> PeerFile {
    let life = Life {
        generation: Generation(4),
        boot_id: super::house::BOOT.into(),
        phase: LifePhase::Dead,
        started_boot_ms: 0,
        up_boot_ms: None,
        command: Vec::new(),
        held_by: String::new(),
        resumed: false,
        replied: false,
        server: None,
        canary: None,
    };
    PeerFile { highest: Generation(4), lives: vec![life], ..PeerFile::default() }
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_daemon_left_half_done_is_finished_and_keeps_nobody_away() {
    let leaving = Some(RegistryPhase::Leaving);
    let peers = vec![spec("alice", leaving), spec("unborn", Some(RegistryPhase::Newborn)), spec("bob", None)];
    let world = FakeWorld::with(document(peers));
    world.store.put(&id("shell-alice"), owed());
    world.script.fail_always(Op::Settle, Some(FakeWorld::broken()));
    let house = House::start(world).await;
    house.booted().await.unwrap();
    house.ask(BOB, PeerMsg::Start).await.unwrap();
    house.until(BOB, PhaseName::Up).await;
    house.world.script.fail_always(Op::Settle, None);
    let names = |house: &House| -> Vec<String> {
        house.world.registry.document().peers.iter().map(|peer| peer.personality.to_string()).collect()
    };
    house.until_true(|house| names(house) == ["bob"]).await;
    assert_eq!(house.mark("shell-alice"), Some(Generation(4)));
}
