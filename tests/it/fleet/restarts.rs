//! What follows deaths in a row (spec 01 §6): at once, then after a wait, then a person has to look.

use crate::support::{Daemon, PATIENCE, Rig, Root, alive, eventually, kill, signal};
use coalmine::actors::{
    fleet::request::CreatePeer,
    peer::{restart_knobs::RestartKnobs, restart_policy::RestartLimit},
    view::{PeerView, PhaseName},
};
use rustix::process::Signal;
use serde_json::Value;

/// Waits of which chance chooses a part: that it chooses none of eleven days does not happen.
const LONG: RestartLimit = RestartLimit {
    deaths_max: 5,
    window_ms: 300_000,
    delay_first_ms: DAYS,
    delay_max_ms: DAYS,
    healthy_after_ms: DAYS,
};
const DAYS: u64 = 1_000_000_000;

fn waits(view: &PeerView) -> bool {
    view.phase == PhaseName::Backoff && view.next_try.is_some()
}

/// A peer that died twice in a row, and waits.
async fn waiting() -> (Rig, PeerView) {
    let rig = Rig::with(|builder| builder.restart_limit(LONG)).await;
    let first = rig.sleeper("bob").await;
    kill(first.server_pid.unwrap());
    kill(rig.until_up("bob", 2).await.server_pid.unwrap());
    let view = rig.until("bob", "waiting", waits).await;
    (rig, view)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_restart_comes_at_once_and_the_second_waits() {
    let (rig, view) = waiting().await;
    assert_eq!((view.generation.0, view.deaths_recent, view.restarts), (2, 2, 2));
    assert_eq!(view.detail, "its server was killed by signal 9");
    assert!(view.state(jiff::Timestamp::now()).starts_with("backoff, in "));
    assert_eq!(view.last_death.unwrap().generation.0, 2);
    rig.settled("bob").await;
    assert_eq!(rig.records().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_during_the_wait_starts_at_once() {
    let (rig, _) = waiting().await;
    let view = rig.fleet.start("bob", PATIENCE).await.unwrap();
    assert_eq!((view.phase, view.generation.0, view.next_try), (PhaseName::Up, 3, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_during_the_wait_ends_it() {
    let (rig, _) = waiting().await;
    let stopped = rig.fleet.stop("bob", PATIENCE).await.unwrap();
    assert!(stopped[0].report.is_none(), "nothing lived");
    let view = rig.view("bob");
    assert_eq!((view.phase, view.next_try), (PhaseName::Stopped, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_whose_program_dies_again_and_again_is_told_that_it_waits() {
    let rig = Rig::with(|builder| builder.restart_limit(LONG)).await;
    let mut error = rig.fleet.create(rig.script("bob", "exit 7")).await.map(|created| created.peer);
    while error.is_ok() {
        // Its end came too late to be called one at birth; the next one comes in time.
        error = rig.fleet.start("bob", PATIENCE).await;
    }
    let error = error.unwrap_err();
    assert_eq!(error.code(), "start-failed");
    let said = error.to_string();
    assert!(said.contains("backoff, in ") && said.contains("exited with status 7"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_life_that_was_healthy_is_followed_at_once_however_often() {
    let limit = RestartLimit { healthy_after_ms: 1, ..LONG };
    let rig = Rig::with(|builder| builder.restart_limit(limit)).await;
    rig.sleeper("bob").await;
    for generation in 1..=3 {
        kill(rig.until_up("bob", generation).await.server_pid.unwrap());
    }
    rig.until_up("bob", 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_may_have_limits_of_its_own() {
    let rig = Rig::new().await;
    let knobs = RestartKnobs { deaths_max: Some(0), ..RestartKnobs::default() };
    let request = CreatePeer { restart_knobs: Some(knobs), ..rig.script("bob", "exec sleep 3600") };
    let strict = rig.fleet.create(request).await.unwrap().peer;
    let other = rig.sleeper("carol").await;
    kill(strict.server_pid.unwrap());
    kill(other.server_pid.unwrap());
    let view = rig.until("bob", "quarantined", |view| view.phase == PhaseName::Quarantined).await;
    assert!(view.detail.starts_with("1 deaths in 300 s"), "{}", view.detail);
    rig.until_up("carol", 2).await;
    let knobs = RestartKnobs { deaths_max: Some(1_001), ..RestartKnobs::default() };
    let request = CreatePeer { restart_knobs: Some(knobs), ..rig.script("dora", "exec sleep 3600") };
    let error = rig.fleet.create(request).await.unwrap_err();
    assert_eq!(error.code(), "usage");
    assert!(error.to_string().contains("restart_knobs.deaths_max is 1001"), "{error}");
}

fn pid(peer: &Value, whose: &str) -> i32 {
    peer[whose].as_i64().unwrap().try_into().unwrap()
}

#[tokio::test]
async fn a_wait_and_what_was_counted_outlive_the_daemon() {
    let config = "[restart]\ndelay_first = \"168h\"\ndelay_max = \"168h\"\n";
    let daemon = Daemon::on(Root::with(&[("home/.config/coalmine/config.toml", config)])).await;
    kill(pid(&daemon.sleeper("bob"), "server_pid"));
    let second = daemon.until("bob", "up again", |peer| peer["phase"] == "up" && peer["gen"] == 2).await;
    kill(pid(&second, "server_pid"));
    let before = daemon.until("bob", "waiting", |peer| peer["next_try"].is_string()).await;
    daemon.coalmine(&["list"]).tells(&["backoff, in "]);
    daemon.coalmine(&["show", "bob"]).tells(&["backoff, in ", "its server was killed by signal 9"]);
    daemon.signal(Signal::KILL);
    let (_, root) = daemon.ended().await;
    let daemon = Daemon::on(root).await;
    let after = daemon.until("bob", "waiting", |peer| peer["next_try"].is_string()).await;
    for counted in ["gen", "deaths_recent", "restarts", "last_death"] {
        assert_eq!(after[counted], before[counted], "{counted}");
    }
    let instant = |peer: &Value| peer["next_try"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let apart_ms = instant(&after).duration_since(instant(&before)).as_millis().abs();
    assert!(apart_ms < 1_000, "the wait is {apart_ms} ms another");
    daemon.coalmine(&["start", "bob"]).tells(&["shell-bob is up (gen 3)"]);
}

#[tokio::test]
async fn a_restart_of_the_host_is_one_event_of_nobodys_death() {
    let daemon = Daemon::start().await;
    let names = ["anna", "bob", "carol"];
    let peers: Vec<Value> = names.iter().map(|name| daemon.sleeper(name)).collect();
    daemon.signal(Signal::KILL);
    let (_, root) = daemon.ended().await;
    for peer in &peers {
        // As the host ends: nobody is left who could write anything down.
        let (server, canary) = (pid(peer, "server_pid"), pid(peer, "canary_pid"));
        signal(canary, Signal::KILL);
        signal(server, Signal::KILL);
        eventually("both are gone", || async { (!alive(server) && !alive(canary)).then_some(()) }).await;
    }
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    for name in names {
        let file = root.path().join(format!("peers/shell-{name}/state.json"));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(boot_id.trim()));
        std::fs::write(file, text.replace(boot_id.trim(), "00000000-0000-0000-0000-000000000000")).unwrap();
    }
    let daemon = Daemon::on(root).await;
    for name in names {
        let peer = daemon.until(name, "up again", |peer| peer["phase"] == "up" && peer["gen"] == 2).await;
        assert_eq!(peer["deaths_recent"], 0);
    }
    let told = || async {
        let lines: Vec<_> = daemon.read("journal/lifecycle.log").lines().map(ToOwned::to_owned).collect();
        lines.iter().any(|line| line.contains(" ev=incident-over ")).then_some(lines)
    };
    let told = eventually("it is over", told).await;
    let restarts: Vec<_> = told.iter().filter(|line| line.contains(" ev=host-restart ")).collect();
    assert_eq!(restarts.len(), 1, "{told:#?}");
    assert!(restarts[0].contains("count=3 peers=shell-anna,shell-bob,shell-carol"), "{}", restarts[0]);
    assert_eq!(daemon.ask(&["deaths"]), serde_json::json!([]));
}
