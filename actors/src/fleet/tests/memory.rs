//! The memory provider is called at births and removals: in its place, and whatever it does.

use super::house::{House, document, settle, spec};
use crate::{
    names::Runtime,
    provisioner::outcome::State,
    registry::document::{PeerSpec, RegistryPhase},
    testing::FakeWorld,
};
use std::time::Duration;

const PROVIDER: &str = r#"{"provider":"mem","package":"p","version":"1",
    "provision":{"command":"/mem","args":["on","{personality}","{runtime}","{occasion}"]},
    "unprovision":{"command":"/mem","args":["off","{personality}","{runtime}","{occasion}"]}}"#;

/// `bob` under these runtimes.
fn bob(runtimes: &[&str]) -> PeerSpec {
    let runtimes: Vec<Runtime> = runtimes.iter().map(|runtime| runtime.parse().unwrap()).collect();
    PeerSpec { default_runtime: runtimes[0].clone(), runtimes, ..spec("bob", None) }
}

async fn house() -> House {
    let house = House::with(&[]).await;
    house.world.provider.declare(PROVIDER);
    house
}

impl House {
    fn phase(&self, name: &str) -> Option<Option<RegistryPhase>> {
        self.world.registry.document().peer(&name.parse().unwrap()).map(|spec| spec.phase)
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_announced_once_its_memory_is_there() {
    let house = house().await;
    house.world.provider.takes(Duration::from_secs(30));
    let making = {
        let fleet = house.fleet.clone();
        tokio::spawn(async move {
            let create = |reply| crate::fleet::message::FleetMsg::Create(Box::new(bob(&["agent"])), reply);
            fleet.call(create, None).await.unwrap().unwrap().unwrap()
        })
    };
    house.until_true(|house| !house.world.provider.done().is_empty()).await;
    assert_eq!(house.phase("bob"), Some(Some(RegistryPhase::Newborn)));
    // A second wish for the same peer meanwhile announces nothing either.
    let second = house.make(bob(&["agent"])).await.unwrap();
    assert_eq!(house.world.provider.done(), ["run on bob agent birth", "end on bob agent birth"]);
    assert!(!second.changes.new && second.provision.is_empty());
    let born = making.await.unwrap();
    assert_eq!(born.provision[0].outcome.state, State::Ok);
    assert_eq!(house.phase("bob"), Some(None));
    assert!(house.world.told().contains(&"memory-provision".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_born_and_removed_though_its_provider_fails() {
    let house = house().await;
    house.world.provider.fails("bob");
    let born = house.make(bob(&["agent"])).await.unwrap();
    let (state, detail) = (born.provision[0].outcome.state, born.provision[0].outcome.detail.as_str());
    assert_eq!((born.changes.new, state, detail), (true, State::Failed, "no disk"));
    assert_eq!(house.phase("bob"), Some(None));
    house.world.provider.takes(Duration::from_secs(3600));
    let removed = house.remove("bob").await.unwrap();
    assert_eq!((removed.existed, removed.unprovision[0].outcome.state), (true, State::Timeout));
    assert_eq!(house.phase("bob"), None);
}

#[tokio::test(start_paused = true)]
async fn a_provider_sees_a_leaving_peer_before_its_state_is_purged() {
    let house = house().await;
    house.make(bob(&["agent"])).await.unwrap();
    house.world.provider.takes(Duration::from_secs(5));
    let before = house.world.script.count("purge");
    let removing = {
        let fleet = house.fleet.clone();
        let remove = |reply| crate::fleet::message::FleetMsg::Remove("bob".parse().unwrap(), reply);
        tokio::spawn(async move { fleet.call(remove, None).await.unwrap().unwrap().unwrap() })
    };
    house.until_true(|house| house.world.provider.done().contains(&"run off bob agent remove".to_owned())).await;
    assert_eq!(house.phase("bob"), Some(Some(RegistryPhase::Leaving)));
    assert_eq!(house.world.script.count("purge"), before);
    assert_eq!(removing.await.unwrap().unprovision[0].outcome.state, State::Ok);
    assert!(house.world.script.count("purge") > before);
}

#[tokio::test(start_paused = true)]
async fn each_new_agent_runtime_is_provisioned_once_and_programs_never() {
    let house = house().await;
    let born = house.make(bob(&["shell"])).await.unwrap();
    assert_eq!(born.provision[0].outcome.state, State::SkippedNoAgenticRuntime);
    assert_eq!(house.world.provider.done(), [""; 0]);
    let added = house.make(bob(&["agent"])).await.unwrap();
    assert_eq!(added.changes.parts, ["runtime"]);
    assert_eq!(house.world.provider.done(), ["run on bob agent birth", "end on bob agent birth"]);
    assert!(house.make(bob(&["agent"])).await.unwrap().provision.is_empty(), "nothing is new");
    assert_eq!(house.remove("bob").await.unwrap().unprovision.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_empty_slot_refuses_nothing_and_calls_nobody() {
    let house = House::with(&[]).await;
    for declaration in ["{", "{\"provider\":1}"] {
        house.world.provider.declare(declaration);
        assert!(house.make(bob(&["agent"])).await.unwrap().provision.is_empty());
        assert!(house.remove("bob").await.unwrap().unprovision.is_empty());
    }
    assert_eq!(house.world.provider.done(), [""; 0]);
    settle().await;
    let told = house.world.told().iter().filter(|ev| *ev == "memory-slot").count();
    assert_eq!(told, 2, "once for each version of the file");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_an_earlier_daemon_began_calls_the_provider_too() {
    let leaving = PeerSpec { phase: Some(RegistryPhase::Leaving), ..bob(&["agent"]) };
    let world = FakeWorld::with(document(vec![leaving]));
    world.provider.declare(PROVIDER);
    let house = House::start(world).await;
    house.booted().await.unwrap();
    house.until_true(|house| house.phase("bob").is_none()).await;
    assert_eq!(house.world.provider.done(), ["run off bob agent remove", "end off bob agent remove"]);
}
