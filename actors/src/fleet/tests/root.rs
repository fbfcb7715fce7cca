//! The root: who is restarted, who takes the fleet with him, and a start that the world refuses.

use super::house::{House, document, id, settle, soon, spec};
use crate::{
    names::Generation,
    peer::{message::PeerMsg, supervisor::PeersMsg},
    testing::FakeWorld,
    view::PhaseName,
};
use ractor::ActorCell;
use std::{io::ErrorKind, time::Duration};

const BOB: &str = "shell-bob";

impl House {
    fn is_peers(child: &ActorCell) -> bool {
        child.is_message_type_of::<PeersMsg>() == Some(true)
    }

    /// Journal or registry: what is neither the peers' supervisor nor a keeper, which is sent nothing.
    fn is_store(child: &ActorCell) -> bool {
        !Self::is_peers(child) && child.is_message_type_of::<()>() == Some(false)
    }

    /// Kills these children of the root and waits for their successors.
    async fn kill_children(&self, which: impl Fn(&ActorCell) -> bool) {
        let before = self.fleet.get_children().len();
        for child in self.fleet.get_children().into_iter().filter(|child| which(child)) {
            child.kill();
            soon(child.wait(None)).await.unwrap();
        }
        self.until_true(|house| house.fleet.get_children().len() == before).await;
        settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn journal_and_registry_are_restarted_and_serve_again() {
    let house = House::with_bob_up().await;
    house.kill_children(House::is_store).await;
    assert!(house.create("carol").await.unwrap());
    house.ask("shell-carol", PeerMsg::Start).await.unwrap();
    house.until("shell-carol", PhaseName::Up).await;
    settle().await;
    assert_eq!(house.world.told().iter().filter(|word| *word == "actor-failed").count(), 2);
    assert_eq!(house.world.told().last().unwrap(), "up");
}

#[tokio::test(start_paused = true)]
async fn the_peers_of_a_supervisor_that_failed_are_all_adopted() {
    let house = House::with(&["alice", "bob"]).await;
    for peer in ["shell-alice", BOB] {
        house.ask(peer, PeerMsg::Start).await.unwrap();
        house.until(peer, PhaseName::Up).await;
    }
    house.kill_children(House::is_peers).await;
    for peer in ["shell-alice", BOB] {
        house.until_true(|house| house.directory.get(&id(peer)).is_some()).await;
        assert_eq!(house.until(peer, PhaseName::Up).await.generation, Generation(1));
    }
    assert_eq!((house.world.script.count("started "), house.world.script.count("arm ")), (2, 2));
    // Deaths, lost sockets and session exits find their way again.
    house.world.lose_socket(&id(BOB));
    house.world.kill_server(&id("shell-alice"));
    house.until_view("shell-alice", |view| view.generation == Generation(2)).await;
    house.until_true(|house| house.world.script.count("heal-socket shell-bob-g1") == 1).await;
    house.world.exit_session(&id(BOB), crate::peer::input::SessionExit::Status(0));
    house.until(BOB, PhaseName::Stopped).await;
}

#[tokio::test(start_paused = true)]
async fn a_birth_is_not_undone_by_a_restart_of_the_supervisor() {
    let house = House::with(&[]).await;
    house.registry.reserve(spec("bob", None)).await.unwrap();
    house.kill_children(House::is_peers).await;
    settle().await;
    assert_eq!(house.world.registry.document().peers.len(), 1, "somebody is about to announce it");
}

#[tokio::test(start_paused = true)]
async fn six_failures_of_the_supervisor_in_a_minute_end_the_fleet() {
    let house = House::with_bob_up().await;
    for _ in 0..5 {
        house.kill_children(House::is_peers).await;
        assert!(!house.ended.is_finished());
    }
    for child in house.fleet.get_children().into_iter().filter(House::is_peers) {
        child.kill();
    }
    let House { world, ended, .. } = house;
    soon(ended).await.unwrap();
    assert!(world.alive(&id(BOB)).is_some() && world.watched(&id(BOB)), "the peers live on");
}

#[tokio::test(start_paused = true)]
async fn failures_that_lie_apart_are_forgiven() {
    let house = House::with_bob_up().await;
    for _ in 0..20 {
        house.kill_children(House::is_peers).await;
        tokio::time::sleep(Duration::from_secs(13)).await;
    }
    assert!(!house.ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_can_not_be_read_at_the_start_is_read_again() {
    let world = FakeWorld::with(document(vec![spec("bob", None)]));
    world.registry.refuse(Some(ErrorKind::PermissionDenied));
    let house = House::start(world).await;
    assert_eq!(house.booted().await.unwrap_err().code(), "io");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(house.directory.identities().is_empty());
    house.world.registry.refuse(None);
    house.until_true(|house| house.directory.get(&id(BOB)).is_some()).await;
    house.booted().await.unwrap();
}
