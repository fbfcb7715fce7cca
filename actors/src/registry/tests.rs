//! The registry's contract, with a fake file and a paused clock.

use super::{
    CHANGE_DEADLINE, CHANGES_IN_FLIGHT_MAX, RegistryHandle,
    changes::Changes,
    document::{Document, PeerSpec},
    upsert::tests::spec,
};
use crate::{
    error::FleetError,
    names::{Generation, Personality},
    testing::{FakeRegistryFile, parent},
};
use ractor::ActorCell;
use std::{io::ErrorKind, sync::Arc, time::Duration};

struct World {
    registry: RegistryHandle,
    file: FakeRegistryFile,
    parent: ActorCell,
    actor: ActorCell,
}

async fn world(file: FakeRegistryFile) -> World {
    let registry = RegistryHandle::new();
    let parent = parent().await;
    let actor = registry.spawn(Arc::new(file.clone()), parent.clone()).await.unwrap();
    World { registry, file, parent, actor }
}

async fn empty() -> World {
    let world = world(FakeRegistryFile::new(Document::default())).await;
    world.registry.ready().await.unwrap();
    world
}

impl World {
    fn names(&self) -> Vec<String> {
        self.registry.snapshot().peers.iter().map(|peer| peer.personality.to_string()).collect()
    }

    /// A change that is on its way, not waited for.
    fn reserve(&self, name: &str) -> tokio::task::JoinHandle<Result<super::Reserved, FleetError>> {
        let (registry, wanted) = (self.registry.clone(), spec(name, "/b"));
        tokio::spawn(async move { registry.reserve(wanted).await })
    }
}

fn name(text: &str) -> Personality {
    text.parse().unwrap()
}

/// Lets every task that can run do so; the paused clock moves only when none can.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_is_durable_and_visible_when_it_is_answered() {
    let world = empty().await;
    let reserved = world.registry.reserve(spec("bob", "/b")).await.unwrap();
    assert!(reserved.changes.new);
    assert_eq!(world.file.document(), *world.registry.snapshot());
    world.registry.announce(&name("bob")).await.unwrap();
    assert!(!world.registry.reserve(spec("bob", "/b")).await.unwrap().changes.new);
    world.registry.leaving(&name("bob")).await.unwrap();
    let retired = vec![("claude-bob".parse().unwrap(), Generation(7))];
    world.registry.forget(&name("bob"), retired).await.unwrap();
    assert!(world.names().is_empty());
    assert_eq!(world.file.document().retired[&"claude-bob".parse().unwrap()], Generation(7));
}

#[tokio::test(start_paused = true)]
async fn a_change_in_the_air_is_not_visible() {
    let world = empty().await;
    world.file.hold();
    let bob = world.reserve("bob");
    settle().await;
    assert!(world.names().is_empty());
    world.file.release();
    bob.await.unwrap().unwrap();
    assert_eq!(world.names(), ["bob"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_save_is_answered_and_the_old_document_stays_in_force() {
    let world = empty().await;
    world.registry.reserve(spec("anna", "/b")).await.unwrap();
    world.file.refuse(Some(ErrorKind::StorageFull));
    let error = world.registry.reserve(spec("bob", "/b")).await.unwrap_err();
    assert_eq!((error.code(), error.chain().contains("/fake/fleet.json")), ("io", true));
    assert_eq!((world.names(), world.registry.unavailable()), (vec!["anna".to_owned()], None));
    world.file.refuse(None);
    world.registry.reserve(spec("carol", "/b")).await.unwrap();
    assert_eq!(world.names(), ["anna", "carol"]);
}

#[tokio::test(start_paused = true)]
async fn changes_that_wait_for_a_save_are_saved_together() {
    let world = empty().await;
    world.file.hold();
    let first = world.reserve("a");
    settle().await;
    let rest: Vec<_> = (0..50).map(|n| world.reserve(&format!("b{n}"))).collect();
    settle().await;
    world.file.release();
    first.await.unwrap().unwrap();
    for change in rest {
        change.await.unwrap().unwrap();
    }
    assert_eq!((world.file.saves(), world.names().len()), (2, 51));
}

#[tokio::test(start_paused = true)]
async fn a_refused_change_costs_the_others_nothing() {
    let world = empty().await;
    world.file.hold();
    let first = world.reserve("a");
    settle().await;
    let (good, registry) = (world.reserve("b"), world.registry.clone());
    let elsewhere = tokio::spawn(async move { registry.reserve(spec("a", "/elsewhere")).await });
    settle().await;
    world.file.release();
    assert!(first.await.unwrap().is_ok() && good.await.unwrap().is_ok());
    assert_eq!(elsewhere.await.unwrap().unwrap_err().code(), "name-taken");
}

#[tokio::test(start_paused = true)]
async fn what_changes_nothing_is_not_saved() {
    let world = empty().await;
    for _ in 0..3 {
        world.registry.reserve(spec("bob", "/b")).await.unwrap();
    }
    assert_eq!(world.file.saves(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_can_not_be_read_is_tried_again_and_never_written() {
    let file = FakeRegistryFile::new(Document { peers: vec![spec("anna", "/a")], ..Document::default() });
    file.refuse(Some(ErrorKind::PermissionDenied));
    let world = world(file).await;
    assert_eq!(world.registry.ready().await.unwrap_err().code(), "io");
    let error = world.registry.reserve(spec("bob", "/b")).await.unwrap_err();
    assert_eq!((error.code(), world.file.saves()), ("unavailable", 0));
    let outage = world.registry.unavailable().unwrap();
    assert!(outage.retry_at.unwrap() > tokio::time::Instant::now(), "{outage:?}");
    world.file.refuse(None);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(world.registry.unavailable(), None);
    assert_eq!(world.names(), ["anna"]);
    world.registry.reserve(spec("bob", "/b")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_caller_gave_up_before_it_was_begun_is_not_made() {
    let world = empty().await;
    world.file.hold();
    let first = world.reserve("a");
    settle().await;
    let second = world.reserve("b");
    for change in [first, second] {
        assert_eq!(change.await.unwrap().unwrap_err().code(), "timed-out");
    }
    world.file.release();
    world.registry.reserve(spec("c", "/b")).await.unwrap();
    assert_eq!(world.names(), ["a", "c"], "the first was in the air already");
    assert!(CHANGE_DEADLINE < Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_refuses_at_once() {
    let world = empty().await;
    world.file.hold();
    let changes: Vec<_> = (0..CHANGES_IN_FLIGHT_MAX).map(|n| world.reserve(&format!("b{n}"))).collect();
    settle().await;
    assert_eq!(world.registry.reserve(spec("bob", "/b")).await.unwrap_err().code(), "busy");
    world.file.release();
    for change in changes {
        change.await.unwrap().unwrap();
    }
    world.registry.reserve(spec("bob", "/b")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn handles_survive_the_actor_and_waiting_callers_hear_of_its_end() {
    let world = empty().await;
    world.registry.reserve(spec("anna", "/b")).await.unwrap();
    world.file.hold();
    let bob = world.reserve("bob");
    settle().await;
    world.actor.kill();
    assert_eq!(bob.await.unwrap().unwrap_err().code(), "unavailable");
    world.file.release();
    assert_eq!(world.registry.reserve(spec("c", "/b")).await.unwrap_err().code(), "shutting-down");
    assert_eq!(world.names(), ["anna"], "readers go on");
    settle().await;
    world.registry.spawn(Arc::new(world.file.clone()), world.parent.clone()).await.unwrap();
    world.registry.reserve(spec("c", "/b")).await.unwrap();
    assert_eq!(world.names(), ["anna", "bob", "c"], "bob's save had landed");
}

#[tokio::test(start_paused = true)]
async fn wishes_at_once_each_hear_what_they_alone_changed() {
    let world = empty().await;
    world.file.hold();
    let first = world.reserve("a");
    settle().await;
    let wish = |command: &str| {
        let wanted = PeerSpec { command: Some(vec![command.into()]), ..spec("bob", "/b") };
        let registry = world.registry.clone();
        tokio::spawn(async move { registry.reserve(wanted).await })
    };
    let (one, other) = (wish("cat"), wish("sh"));
    settle().await;
    world.file.release();
    first.await.unwrap().unwrap();
    let (one, other) = (one.await.unwrap().unwrap(), other.await.unwrap().unwrap());
    assert_eq!(one.changes, Changes { new: true, parts: vec![] });
    assert_eq!(other.changes, Changes { new: false, parts: vec!["command"] });
}
