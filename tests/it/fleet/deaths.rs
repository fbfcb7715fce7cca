//! The death table of spec 01 §4: exactly one record for a death that nobody claimed, none for one that was.

use crate::support::{PATIENCE, Rig, alive, eventually, kill};
use coalmine::actors::view::{PeerView, PhaseName};

/// Exactly one death of life 1 of `bob` is on record, in exits.log and as a file, with these fields.
async fn one_record(rig: &Rig, fields: &[&str]) {
    rig.settled("bob").await;
    let exits: Vec<_> = rig.exits().into_iter().filter(|line| line.contains("ev=server-exit")).collect();
    assert_eq!(exits.len(), 1, "{exits:#?}");
    for field in fields.iter().chain(&["identity=shell-bob gen=1 "]) {
        assert!(exits[0].contains(field), "{field}: {}", exits[0]);
    }
    assert_eq!(rig.records().len(), 1);
    let events = rig.until_events("server-exit", 1).await;
    assert_eq!(events.len(), 1, "{events:#?}");
}

/// No server's death is on record.
async fn no_record(rig: &Rig) {
    rig.settled("bob").await;
    assert!(!rig.exits().iter().any(|line| line.contains("ev=server-exit")), "{:#?}", rig.exits());
    assert!(rig.records().is_empty());
}

async fn rig_with_bob() -> (Rig, PeerView) {
    let rig = Rig::new().await;
    let bob = rig.sleeper("bob").await;
    (rig, bob)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_is_recorded_by_its_canary_and_comes_back() {
    let (rig, bob) = rig_with_bob().await;
    kill(bob.server_pid.unwrap());
    let second = rig.until_up("bob", 2).await;
    assert_ne!(second.server_pid, bob.server_pid);
    one_record(&rig, &["status=signal:9 cause=killed witness=canary"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_with_its_canary_is_recorded_by_the_daemon() {
    let (rig, bob) = rig_with_bob().await;
    // Stopped first, so that it does not record; killed last, so that no successor is armed beside a dying server.
    crate::support::stop_process(bob.canary_pid.unwrap());
    kill(bob.server_pid.unwrap());
    eventually("the server is dead", || async { (!alive(bob.server_pid.unwrap())).then_some(()) }).await;
    kill(bob.canary_pid.unwrap());
    rig.until_up("bob", 2).await;
    one_record(&rig, &["status=signal:9 cause=killed witness=daemon"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_an_outsider_ends_is_recorded_as_exited() {
    for end in [Outsider::KillServer, Outsider::Signal("TERM"), Outsider::Signal("INT")] {
        let (rig, bob) = rig_with_bob().await;
        match end {
            Outsider::KillServer => drop(rig.outsider(&bob, &["kill-server"])),
            Outsider::Signal(name) => signal(bob.server_pid.unwrap(), name),
        }
        rig.until_up("bob", 2).await;
        one_record(&rig, &["status=exit:0 cause=exited witness=canary"]).await;
        assert!(!rig.exits().iter().any(|line| line.contains("ev=session-exit")), "{:#?}", rig.exits());
    }
}

enum Outsider {
    KillServer,
    Signal(&'static str),
}

fn signal(pid: i32, name: &str) {
    let status = std::process::Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_is_recorded_as_crashed() {
    let (rig, bob) = rig_with_bob().await;
    signal(bob.server_pid.unwrap(), "SEGV");
    rig.until_up("bob", 2).await;
    one_record(&rig, &["cause=crashed witness=canary", "status=signal:11"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_that_is_killed_alone_gets_a_successor_and_nothing_is_recorded() {
    let (rig, bob) = rig_with_bob().await;
    kill(bob.canary_pid.unwrap());
    let after =
        rig.until("bob", "watched again", |view| view.canary_pid.is_some() && view.canary_pid != bob.canary_pid).await;
    assert_eq!(after.server_pid, bob.server_pid);
    no_record(&rig).await;
    let armings = rig.until_events("canary", 2).await;
    assert_eq!(armings[1].get("origin"), Some("retrofit"));
    kill(after.server_pid.unwrap());
    rig.until_up("bob", 2).await;
    one_record(&rig, &["witness=canary"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_on_the_same_socket_hides_no_death() {
    let rig = Rig::impatient().await;
    let bob = rig.sleeper("bob").await;
    let socket = rig.fleet.paths().peer_socket(&bob.identity);
    // Three deaths in a row: each successor listens where its predecessor did.
    for generation in 1..=3 {
        let view = rig.until_up("bob", generation).await;
        assert!(socket.exists());
        kill(view.server_pid.unwrap());
    }
    rig.until_up("bob", 4).await;
    rig.settled("bob").await;
    for generation in 1..=3 {
        let key = format!("ev=server-exit identity=shell-bob gen={generation} ");
        assert_eq!(rig.exits().iter().filter(|line| line.contains(&key)).count(), 1, "{key}: {:#?}", rig.exits());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliberate_ends_leave_no_record() {
    let (rig, bob) = rig_with_bob().await;
    let stopped = rig.fleet.stop("bob", PATIENCE).await.unwrap();
    assert_eq!(stopped[0].report.as_ref().unwrap().rungs, ["kill-server"]);
    assert_eq!(rig.view("bob").phase, PhaseName::Stopped);
    assert!(!alive(bob.server_pid.unwrap()) && !alive(bob.canary_pid.unwrap()));
    let started = rig.fleet.start("bob", PATIENCE).await.unwrap();
    assert_eq!(started.generation.0, 2);
    let restarted = rig.fleet.restart("bob", PATIENCE).await.unwrap();
    assert_eq!(restarted.generation.0, 3);
    no_record(&rig).await;
    assert!(!alive(started.server_pid.unwrap()));
    let removed = rig.fleet.remove("bob", true).await.unwrap();
    assert!(removed.existed);
    assert!(!alive(restarted.server_pid.unwrap()) && !alive(restarted.canary_pid.unwrap()));
    assert!(rig.exits().is_empty(), "{:#?}", rig.exits());
    assert!(!rig.fleet.paths().peer(&bob.identity).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namesake_goes_on_counting_where_its_predecessor_stopped() {
    let (rig, _) = rig_with_bob().await;
    rig.fleet.restart("bob", PATIENCE).await.unwrap();
    rig.fleet.remove("bob", true).await.unwrap();
    assert_eq!(rig.sleeper("bob").await.generation.0, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_socket_is_healed_and_nothing_is_recorded() {
    let (rig, bob) = rig_with_bob().await;
    let socket = rig.fleet.paths().peer_socket(&bob.identity);
    std::fs::remove_file(&socket).unwrap();
    rig.until_events("socket-healed", 1).await;
    assert!(socket.exists());
    assert!(rig.fleet.capture("bob").await.is_ok());
    assert_eq!(rig.view("bob").server_pid, bob.server_pid);
    no_record(&rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_server_is_unreachable_not_dead_and_the_mark_clears_by_itself() {
    let (rig, bob) = rig_with_bob().await;
    crate::support::stop_process(bob.server_pid.unwrap());
    let error = rig.fleet.capture("bob").await.unwrap_err();
    assert_eq!(error.code(), "server-silent");
    let silent = rig.until("bob", "unreachable", |view| view.unreachable).await;
    assert_eq!((silent.phase, silent.server_pid), (PhaseName::Up, bob.server_pid));
    crate::support::continue_process(bob.server_pid.unwrap());
    rig.until("bob", "reachable", |view| !view.unreachable).await;
    no_record(&rig).await;
    assert_eq!(rig.view("bob").server_pid, bob.server_pid);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_server_can_still_be_ended_on_purpose() {
    let (rig, bob) = rig_with_bob().await;
    crate::support::stop_process(bob.server_pid.unwrap());
    let stopped = rig.fleet.stop("bob", PATIENCE).await.unwrap();
    assert_eq!(stopped[0].report.as_ref().unwrap().rungs, ["kill-server", "term"]);
    no_record(&rig).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pane_that_ignores_hangup_is_swept_before_the_next_life() {
    let rig = Rig::new().await;
    let script = "trap '' HUP TERM; echo $$ > pid; while :; do sleep 1; done";
    let bob = rig.fleet.create(rig.script("bob", script)).await.unwrap().peer;
    let pid_file = rig.root().join("pid");
    let read_pid = || async { std::fs::read_to_string(&pid_file).ok()?.trim().parse::<i32>().ok() };
    let stubborn = eventually("the program wrote its pid", read_pid).await;
    kill(bob.server_pid.unwrap());
    rig.until_up("bob", 2).await;
    assert!(!alive(stubborn));
    let swept = rig.until_events("swept", 1).await;
    assert!(swept[0].get("swept").unwrap().split(',').any(|pid| pid == stubborn.to_string()), "{swept:?}");
    one_record(&rig, &["witness=canary"]).await;
}
