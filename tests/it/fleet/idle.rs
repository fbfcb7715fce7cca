//! Sleep and wake (spec 01 §6): what shows no sign of life is ended on purpose, and goes on where it was.

use crate::support::{PATIENCE, Rig, alive, eventually};
use coalmine::actors::{
    fleet::request::CreatePeer,
    mail::Composer,
    peer::one_task::WakePolicy,
    runtime::RuntimeDef,
    view::{PeerView, PhaseName},
};
use jiff::SignedDuration;
use std::process::{Child, Command, Stdio};

/// A fleet with the runtime `drowsy`, which sleeps after a second.
async fn rig() -> Rig {
    rig_that_sleeps_after(1).await
}

async fn rig_that_sleeps_after(seconds: i64) -> Rig {
    Rig::with(|builder| builder.runtime("drowsy".parse().unwrap(), runtime(seconds))).await
}

fn runtime(seconds: i64) -> RuntimeDef {
    let shell = coalmine::runtimes::built_in().remove(&"shell".parse().unwrap()).unwrap();
    let composer = Composer {
        shown: r"(?m)^> ".into(),
        empty: r"^> $".into(),
        busy: Some(r"(?m)^\(working\)".into()),
        submit: vec!["Enter".into()],
        interrupt: Vec::new(),
    };
    RuntimeDef {
        idle_after: Some(SignedDuration::from_secs(seconds)),
        resume_args: vec!["again".into()],
        composer: Some(composer),
        ..shell
    }
}

/// A `drowsy` peer. In its script `$1` is `again` when it goes on where it was.
async fn drowsy(rig: &Rig, name: &str, script: &str) -> PeerView {
    let mut request = CreatePeer { runtime: Some("drowsy".into()), ..rig.script(name, script) };
    request.command.push("sh".into());
    rig.fleet.create(request).await.unwrap().peer
}

fn asleep(view: &PeerView) -> bool {
    view.phase == PhaseName::Asleep
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_program_is_put_to_sleep_and_a_wake_goes_on_where_it_was() {
    let rig = rig().await;
    let begun = rig.root().join("begun");
    let script = format!("echo \"begun $1\" >> {}; exec sleep 3600", begun.display());
    let bob = drowsy(&rig, "bob", &script).await;
    let view = rig.until("bob", "asleep", asleep).await;
    assert_eq!((view.detail.as_str(), view.deaths_recent, view.server_pid), ("idle for 1 s", 0, None));
    assert!(!alive(bob.server_pid.unwrap()));
    assert!(rig.records().is_empty() && rig.exits().is_empty(), "it was meant: {:#?}", rig.exits());
    let claim = rig.fleet.paths().peer(&bob.identity).join("claim-g1");
    assert!(std::fs::read_to_string(claim).unwrap().contains("why=idle"));
    let woken = rig.fleet.wake("bob", PATIENCE).await.unwrap();
    assert_eq!(woken.generation.0, 2);
    let words = || async { std::fs::read_to_string(&begun).ok().filter(|words| words.lines().count() == 2) };
    assert_eq!(eventually("it has begun again", words).await, "begun \nbegun again\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_status_line_that_ticks_keeps_nobody_awake() {
    let rig = rig().await;
    let script = "echo hello; i=0; while :; do i=$((i+1)); printf '\\r%s' $i; sleep 0.05; done";
    drowsy(&rig, "bob", script).await;
    rig.until("bob", "asleep", asleep).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_goes_on_writing_is_not_put_to_sleep() {
    let rig = rig_that_sleeps_after(2).await;
    // It writes what changes above the last line, for longer than the time after which it would sleep.
    let script = "i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo $i; sleep 0.1; done; touch done; exec sleep 3600";
    drowsy(&rig, "bob", script).await;
    let done = rig.root().join("done");
    eventually("it has written for six seconds", || async { done.exists().then_some(()) }).await;
    let view = rig.view("bob");
    assert_eq!((view.phase, view.generation.0), (PhaseName::Up, 1));
    rig.until("bob", "asleep at last", asleep).await;
}

/// A child that works for long without a word is no idleness of who waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_says_that_it_works_is_not_put_to_sleep_however_quiet_it_is() {
    let rig = rig().await;
    let busy = rig.root().join("busy");
    std::fs::write(&busy, "").unwrap();
    let script = "echo '(working)'; while test -e busy; do sleep 0.05; done; clear; exec sleep 3600";
    drowsy(&rig, "bob", script).await;
    // Meanwhile another one falls asleep three times.
    drowsy(&rig, "ann", "exec sleep 3600").await;
    for life in 1..=3 {
        rig.until("ann", "asleep", |ann| asleep(ann) && ann.generation.0 == life).await;
        rig.fleet.wake("ann", PATIENCE).await.unwrap();
    }
    let bob = rig.view("bob");
    assert_eq!((bob.phase, bob.generation.0), (PhaseName::Up, 1));
    std::fs::remove_file(busy).unwrap();
    rig.until("bob", "asleep at last", asleep).await;
}

/// What has one task is bounded by its silence: others wait for its end, and it may say for ever that it works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_one_task_ends_in_its_time_also_where_it_says_that_it_works() {
    let one_task = coalmine::actors::peer::one_task::OneTask { silence_ms: 1_000, ..Default::default() };
    let config = coalmine::config::Config { one_task, ..Default::default() };
    let rig = Rig::with(|builder| builder.config(config).runtime("drowsy".parse().unwrap(), runtime(3600))).await;
    let script = rig.script("bob", "echo '(working)'; exec sleep 3600");
    let wake_policy = Some(WakePolicy::Ephemeral);
    rig.fleet.create(CreatePeer { runtime: Some("drowsy".into()), wake_policy, ..script }).await.unwrap();
    rig.until("bob", "asleep", asleep).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_attached_keeps_it_awake() {
    let rig = rig_that_sleeps_after(3).await;
    let attached = drowsy(&rig, "attached", "exec sleep 3600").await;
    let client = Client::attach(&rig, &attached);
    let is_there = || async {
        let said = rig.outsider(&attached, &["display-message", "-p", "-t", "$0", "#{session_attached}"]).stdout;
        (said == b"1\n").then_some(())
    };
    eventually("somebody is attached", is_there).await;
    drowsy(&rig, "alone", "exec sleep 3600").await;
    rig.until("alone", "asleep", asleep).await;
    // It was there first and would have slept first.
    assert_eq!(rig.view("attached").phase, PhaseName::Up);
    drop(client);
    rig.until("attached", "asleep", asleep).await;
}

/// Somebody who is attached until this is dropped.
struct Client(Child);

impl Client {
    fn attach(rig: &Rig, peer: &PeerView) -> Self {
        let socket = rig.fleet.paths().peer_socket(&peer.identity);
        let mut client = Command::new("tmux");
        client.args(["-N", "-C", "-S"]).arg(socket).arg("attach");
        Self(client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_wins_over_a_wake() {
    let rig = rig().await;
    drowsy(&rig, "bob", "exec sleep 3600").await;
    rig.until("bob", "asleep", asleep).await;
    rig.fleet.stop("bob", PATIENCE).await.unwrap();
    let error = rig.fleet.wake("bob", PATIENCE).await.unwrap_err();
    assert_eq!((error.code(), error.hint().contains("coalmine start")), ("wrong-phase", true));
    assert_eq!(rig.view("bob").phase, PhaseName::Stopped);
    let started = rig.fleet.start("bob", PATIENCE).await.unwrap();
    assert_eq!((started.phase, started.generation.0), (PhaseName::Up, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plain_program_is_never_put_to_sleep() {
    let rig = rig().await;
    rig.sleeper("plain").await;
    drowsy(&rig, "bob", "exec sleep 3600").await;
    rig.until("bob", "asleep", asleep).await;
    assert_eq!(rig.view("plain").phase, PhaseName::Up);
}
