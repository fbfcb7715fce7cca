//! Fleets inside a program: several at once, handles that are dropped, and what happens as a stream.

use crate::support::{PATIENCE, Rig, alive, eventually, helper, kill};
use coalmine::{
    Fleet,
    actors::{
        journal::FOLLOWERS_LAG_EVENTS_MAX,
        view::{PhaseName, Streamed},
    },
};
use tokio_stream::StreamExt;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_fleets_in_one_process_do_not_touch_each_other() {
    let (one, other) = (Rig::new().await, Rig::new().await);
    let (first, second) = (one.sleeper("bob").await, other.sleeper("bob").await);
    assert_ne!(first.server_pid, second.server_pid);
    kill(first.server_pid.unwrap());
    one.until_up("bob", 2).await;
    one.settled("bob").await;
    assert_eq!((one.records().len(), other.records().len()), (1, 0));
    assert_eq!(other.view("bob"), second);
    one.fleet.stop("bob", PATIENCE).await.unwrap();
    assert_eq!(other.view("bob").phase, PhaseName::Up);
    assert!(other.events().await.iter().all(|event| event.ev != "death" && event.ev != "stopping"));
    one.fleet.clone().shutdown_all().await.unwrap();
    assert!(other.fleet.capture("bob").await.is_ok() && alive(second.canary_pid.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_has_one_fleet_at_a_time() {
    let rig = Rig::new().await;
    let error = Fleet::builder().root(rig.root()).helper(helper()).start().await.unwrap_err();
    assert_eq!(error.code(), "held");
    assert!(error.to_string().contains(&format!("pid {}", std::process::id())), "{error}");
    assert!(rig.sleeper("bob").await.server_pid.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handle_that_is_dropped_leaves_its_peers_and_the_next_fleet_finds_them() {
    let rig = Rig::new().await;
    let other = tempfile::Builder::new().prefix("cm-").tempdir().unwrap();
    let start = || Fleet::builder().root(other.path()).helper(helper()).start();
    let fleet = start().await.unwrap();
    let bob = fleet.create(rig.script("bob", "exec sleep 3600")).await.unwrap().peer;
    drop(fleet);
    let again = eventually("the root is free again", || async { start().await.ok() }).await;
    let found = eventually("bob is found", || async {
        again.show("bob").ok().map(|mut views| views.remove(0)).filter(|view| view.phase == PhaseName::Up)
    })
    .await;
    assert_eq!(
        (found.server_pid, found.canary_pid, found.generation),
        (bob.server_pid, bob.canary_pid, bob.generation)
    );
    assert_eq!(again.shutdown_all().await.unwrap(), 1);
    assert!(!alive(bob.server_pid.unwrap()) && !alive(bob.canary_pid.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_says_how_many_still_run() {
    let rig = Rig::new().await;
    let (bob, _) = (rig.sleeper("bob").await, rig.sleeper("anna").await);
    assert_eq!(rig.fleet.clone().shutdown().await, 2);
    assert!(alive(bob.server_pid.unwrap()));
    let error = rig.fleet.stop("bob", PATIENCE).await.unwrap_err();
    assert!(matches!(error.code(), "shutting-down" | "unavailable"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_come_in_order_and_without_a_gap() {
    let rig = Rig::new().await;
    let mut events = rig.fleet.events();
    rig.sleeper("bob").await;
    rig.fleet.stop("bob", PATIENCE).await.unwrap();
    let mut seen = Vec::new();
    while let Some(Streamed::Event(event)) = tokio::time::timeout(PATIENCE, events.next()).await.unwrap() {
        let last = event.ev == "stopped";
        seen.push(event);
        if last {
            break;
        }
    }
    // The fleet's own first words may be written before or after somebody listens.
    let names = seen.iter().map(|event| event.ev.as_str());
    let names: Vec<_> = names.filter(|ev| !matches!(*ev, "daemon-started" | "memory-opened")).collect();
    assert_eq!(names, ["created", "starting", "canary", "up", "stopping", "ended", "stopped"]);
    assert!(seen.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_who_is_too_slow_is_told_how_much_is_missing() {
    let rig = Rig::new().await;
    let mut events = rig.fleet.events();
    rig.sleeper("bob").await;
    let wanted = FOLLOWERS_LAG_EVENTS_MAX as u64 + 100;
    for _ in 0..wanted {
        rig.fleet.reset("bob").await.unwrap();
    }
    eventually("all is written", || async { (rig.fleet.status().last_seq > wanted).then_some(()) }).await;
    let Some(Streamed::Lagged { lagged }) = events.next().await else { panic!("nothing was missed") };
    let Some(Streamed::Event(next)) = events.next().await else { panic!("nothing follows") };
    // What is missing here is in the journal.
    let missed = rig.fleet.events_after(0, 100_000).await.unwrap().iter().filter(|event| event.seq < next.seq).count();
    assert!(lagged >= 100 && missed as u64 >= lagged, "{lagged} {missed}");
}
