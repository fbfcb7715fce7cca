//! What follows deaths: waits between lives, mass death in turn, sleep and wake; through the whole tree.

use super::house::{BOOT, House, document, id, settle, spec, stop, wake};
use crate::{
    names::{Generation, Runtime},
    peer::{
        file::{Desired, Life, LifePhase, PeerFile},
        message::PeerMsg,
    },
    ports::ScreenSign,
    registry::document::PeerSpec,
    testing::{FakeWorld, Op},
    view::PhaseName,
};
use std::time::Duration;
use tokio::time::Instant;

const BOB: &str = "shell-bob";
const AGENT: &str = "agent-anna";
/// What chance says when it takes half of every wait.
const HALF: u64 = 1 << 63;

impl House {
    async fn up(names: &[&str]) -> Self {
        let house = Self::with(names).await;
        for name in names {
            let peer = format!("shell-{name}");
            house.ask(&peer, PeerMsg::Start).await.unwrap();
            house.until(&peer, PhaseName::Up).await;
        }
        house
    }

    async fn with_agent_up() -> Self {
        Self::with_agent_that(|anna| anna).await
    }

    /// A fleet whose one agent is as it is wished, and up.
    pub(super) async fn with_agent_that(wish: impl FnOnce(PeerSpec) -> PeerSpec) -> Self {
        let runtime: Runtime = "agent".parse().unwrap();
        let anna = PeerSpec { runtimes: vec![runtime.clone()], default_runtime: runtime, ..spec("anna", None) };
        let anna = wish(anna);
        let house = Self::start(FakeWorld::with(document(vec![anna]))).await;
        house.booted().await.unwrap();
        house.ask(AGENT, PeerMsg::Start).await.unwrap();
        house.until(AGENT, PhaseName::Up).await;
        house
    }

    pub(super) async fn until_life(&self, peer: &str, generation: u64) {
        self.until_view(peer, |view| view.phase == PhaseName::Up && view.generation == Generation(generation)).await;
    }

    pub(super) fn tells(&self, ev: &str) -> Vec<String> {
        let word = format!(" ev={ev} ");
        self.world.journal.lines().into_iter().filter(|line| line.contains(&word)).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_death_waits_for_nobody() {
    let house = House::with_bob_up().await;
    let killed = Instant::now();
    house.world.kill_server(&id(BOB));
    house.until_life(BOB, 2).await;
    assert!(killed.elapsed() < Duration::from_millis(1), "{:?}", killed.elapsed());
    settle().await;
    assert!(house.tells("incident").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_second_death_waits_as_long_as_chance_says_and_the_view_says_until_when() {
    let house = House::with_bob_up().await;
    house.world.dice.fall(HALF);
    house.world.kill_server(&id(BOB));
    house.until_life(BOB, 2).await;
    let killed = Instant::now();
    house.world.kill_server(&id(BOB));
    let view = house.until_view(BOB, |view| view.next_try.is_some()).await;
    assert_eq!((view.phase, view.detail.as_str()), (PhaseName::Backoff, "its server was killed by signal 9"));
    let wait = view.next_try.unwrap().duration_since(view.since);
    assert_eq!(wait.as_millis(), 500);
    assert_eq!(view.state(view.since), "backoff, in 1 s");
    house.until_life(BOB, 3).await;
    assert!((500..510).contains(&killed.elapsed().as_millis()), "{:?}", killed.elapsed());
    assert_eq!(house.view(BOB).next_try, None);
}

#[tokio::test(start_paused = true)]
async fn a_wait_survives_its_actor_and_is_no_longer_for_it() {
    let house = House::with_bob_up().await;
    house.world.dice.fall(u64::MAX);
    house.world.kill_server(&id(BOB));
    house.until_life(BOB, 2).await;
    let killed = Instant::now();
    house.world.kill_server(&id(BOB));
    house.until_view(BOB, |view| view.next_try.is_some()).await;
    settle().await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    house.entry(BOB).actor.kill();
    house.until_life(BOB, 3).await;
    assert!((1_000..1_010).contains(&killed.elapsed().as_millis()), "{:?}", killed.elapsed());
    let view = house.view(BOB);
    assert_eq!((view.restarts, view.deaths_recent, view.last_death.unwrap().generation), (2, 2, Generation(2)));
}

#[tokio::test(start_paused = true)]
async fn servers_that_die_together_are_one_incident_and_come_back_one_first() {
    let names: Vec<String> = (0..20).map(|n| format!("p{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let house = House::up(&names).await;
    let peers: Vec<String> = names.iter().map(|name| format!("shell-{name}")).collect();
    house.world.ready_at_once(false);
    for peer in &peers {
        house.world.kill_server(&id(peer));
    }
    let living = |house: &House| {
        let alive = peers.iter().filter(|peer| house.world.alive(&id(peer)).is_some()).cloned();
        alive.collect::<Vec<_>>()
    };
    house.until_true(|house| living(house).len() == 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let first = living(&house);
    assert_eq!(first.len(), 1, "one goes first");
    let waits = house.view(peers.iter().find(|peer| **peer != first[0]).unwrap());
    assert_eq!(waits.phase, PhaseName::Backoff);
    assert!(waits.detail.starts_with("waits for its turn after incident-2026"), "{}", waits.detail);
    house.world.show(&id(&first[0]), ScreenSign::Ready);
    house.until_true(|house| living(house).len() == 9).await;
    settle().await;
    assert_eq!(living(&house).len(), 9, "eight follow at once");
    // Whoever takes his time gives his place up after ten seconds.
    house.until_true(|house| living(house).len() == 20).await;
    house.world.ready_at_once(true);
    for peer in peers.iter().filter(|peer| **peer != first[0]) {
        house.world.show(&id(peer), ScreenSign::Ready);
        house.until_life(peer, 2).await;
    }
    house.until_true(|house| !house.tells("incident-over").is_empty()).await;
    let incidents = house.tells("incident");
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    assert!(incidents[0].contains("count=3 "), "{}", incidents[0]);
    let incident = incidents[0].split(" id=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let over = house.tells("incident-over");
    assert!(over[0].contains(&incident) && over[0].contains("count=20 "), "{}", over[0]);
    let begun = house.tells("starting");
    assert_eq!(begun.iter().filter(|line| line.contains(&format!("incident={incident}"))).count(), 20);
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_the_host_is_one_event_and_nobody_is_counted() {
    let names = ["a", "b", "c", "d"];
    let world = FakeWorld::with(document(names.map(|name| spec(name, None)).to_vec()));
    for name in names {
        let life = Life {
            generation: Generation(1),
            boot_id: "an-earlier-boot".into(),
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
        let file = PeerFile { highest: Generation(1), lives: vec![life], desired: Desired::Up, ..PeerFile::default() };
        world.store.put(&id(&format!("shell-{name}")), file);
    }
    let house = House::start(world).await;
    house.booted().await.unwrap();
    for name in names {
        house.until_life(&format!("shell-{name}"), 2).await;
        assert_eq!(house.view(&format!("shell-{name}")).deaths_recent, 0);
    }
    house.until_true(|house| !house.tells("incident-over").is_empty()).await;
    let told = house.tells("host-restart");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("count=4 peers=shell-a,shell-b,shell-c,shell-d"), "{}", told[0]);
    assert_eq!((house.world.script.count("settle"), house.tells("incident").len()), (0, 0));
    assert_eq!(house.world.store.file(&id("shell-a")).unwrap().boot_id, BOOT);
    // Whoever counts what this daemon found begins there.
    assert_eq!(house.world.told()[0], "daemon-started");
}

#[tokio::test(start_paused = true)]
async fn a_start_during_the_wait_and_during_an_incident_starts_at_once() {
    let house = House::up(&["a", "b", "c", "d"]).await;
    house.world.ready_at_once(false);
    for peer in ["shell-a", "shell-b", "shell-c", "shell-d"] {
        house.world.kill_server(&id(peer));
    }
    let held = |house: &House| {
        ["shell-a", "shell-b", "shell-c", "shell-d"].into_iter().find(|peer| house.view(peer).detail.contains("turn"))
    };
    house.until_true(|house| held(house).is_some()).await;
    let peer = held(&house).unwrap();
    house.ask(peer, PeerMsg::Start).await.unwrap();
    house.until(peer, PhaseName::Starting).await;
}

#[tokio::test(start_paused = true)]
async fn an_agent_of_which_nothing_is_seen_sleeps_and_a_wake_goes_on_where_it_was() {
    let house = House::with_agent_up().await;
    assert_eq!(house.world.script.count("idle agent-anna-g1 3600 s"), 1);
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    house.world.fall_idle(&id(AGENT));
    let view = house.until(AGENT, PhaseName::Asleep).await;
    assert_eq!((view.detail.as_str(), view.deaths_recent), ("idle for 3600 s", 0));
    assert_eq!((house.world.script.count("end agent-anna-g1 why=idle"), house.world.script.count("settle")), (1, 0));
    house.ask(AGENT, wake).await.unwrap();
    house.until_life(AGENT, 2).await;
    assert_eq!(house.world.script.count("open-session agent-anna-g2 agent --continue"), 1);
    assert_eq!(house.view(AGENT).command, ["agent", "--continue"]);
    house.world.kill_server(&id(AGENT));
    house.until_life(AGENT, 3).await;
    assert_eq!(house.view(AGENT).command, ["agent"], "a death is no sleep");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_was_adopted_may_fall_asleep_too() {
    let house = House::with_agent_up().await;
    house.entry(AGENT).actor.kill();
    house.until_true(|house| house.world.script.count("idle agent-anna-g1") == 2).await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    house.world.fall_idle(&id(AGENT));
    house.until(AGENT, PhaseName::Asleep).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_wins_over_a_wake() {
    let house = House::with_agent_up().await;
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    house.world.hold(Op::End);
    house.world.fall_idle(&id(AGENT));
    house.until(AGENT, PhaseName::Stopping).await;
    house.ask(AGENT, wake).await.unwrap();
    house.ask(AGENT, stop).await.unwrap();
    assert_eq!(house.ask(AGENT, wake).await.unwrap_err().code(), "wrong-phase");
    house.world.release(Op::End);
    house.until(AGENT, PhaseName::Stopped).await;
    assert_eq!(house.ask(AGENT, wake).await.unwrap_err().hint(), "`coalmine start agent-anna` starts it");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_can_not_be_read_is_tried_ever_more_rarely_and_for_whoever_asks() {
    let world = FakeWorld::with(document(vec![spec("bob", None)]));
    world.script.fail_always(Op::Load, Some(FakeWorld::broken()));
    let house = House::start(world).await;
    house.booted().await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let tries = house.world.script.count("load");
    assert!((6..=9).contains(&tries), "{tries} tries in a minute");
    let view = house.view(BOB);
    assert_eq!((view.phase, view.detail.contains("can not write")), (PhaseName::Blocked, true), "{}", view.detail);
    assert_eq!(house.ask(BOB, PeerMsg::Start).await.unwrap_err().code(), "io");
    house.world.script.fail_always(Op::Load, None);
    house.ask(BOB, PeerMsg::Start).await.unwrap();
    house.until_life(BOB, 1).await;
}
