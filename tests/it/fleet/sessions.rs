//! What a program's own end leads to (spec 01 §5).

use crate::support::{PATIENCE, Rig, eventually, helper, kill};
use coalmine::actors::{
    fleet::request::CreatePeer,
    peer::restart_policy::RestartPolicy,
    view::{PeerView, PhaseName},
};

/// The lines of sessions that ended.
fn session_exits(rig: &Rig) -> Vec<String> {
    rig.exits().into_iter().filter(|line| line.contains("ev=session-exit")).collect()
}

fn no_server_record(rig: &Rig) {
    assert!(rig.records().is_empty() && rig.exits().iter().all(|line| line.contains("ev=session-exit")));
}

/// A program that waits for a word and then ends as the script says.
async fn waiting(rig: &Rig, end: &str, restart: RestartPolicy) -> PeerView {
    let request = CreatePeer { restart: Some(restart), ..rig.script("bob", &format!("read word; {end}")) };
    rig.fleet.create(request).await.unwrap().peer
}

fn say(rig: &Rig, view: &PeerView) {
    assert!(rig.outsider(view, &["send-keys", "-t", "%0", "Enter"]).status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_exits_with_0_leaves_its_peer_stopped() {
    let rig = Rig::new().await;
    let bob = waiting(&rig, "exit 0", RestartPolicy::OnFailure).await;
    say(&rig, &bob);
    let view = rig.until("bob", "stopped", |view| view.phase == PhaseName::Stopped).await;
    assert_eq!((view.deaths_recent, view.detail.as_str()), (0, "its program exited with status 0"));
    let exits = session_exits(&rig);
    assert_eq!(exits.len(), 1, "{exits:?}");
    assert!(exits[0].contains("identity=shell-bob gen=1 dead_status=0"), "{}", exits[0]);
    no_server_record(&rig);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_fails_is_counted_and_started_again() {
    let rig = Rig::new().await;
    let bob = waiting(&rig, "exit 3", RestartPolicy::OnFailure).await;
    say(&rig, &bob);
    let view = rig.until_up("bob", 2).await;
    assert_eq!(view.deaths_recent, 1);
    assert!(session_exits(&rig)[0].contains("dead_status=3"), "{:?}", session_exits(&rig));
    no_server_record(&rig);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_killed_is_counted_and_told_by_its_signal() {
    let rig = Rig::new().await;
    let bob = waiting(&rig, "exit 0", RestartPolicy::OnFailure).await;
    let pane = rig.outsider(&bob, &["display-message", "-p", "-t", "%0", "#{pane_pid}"]).stdout;
    kill(String::from_utf8(pane).unwrap().trim().parse().unwrap());
    let view = rig.until_up("bob", 2).await;
    assert_eq!(view.deaths_recent, 1);
    assert!(session_exits(&rig)[0].contains("dead_signal=9 cause=signaled"), "{:?}", session_exits(&rig));
    no_server_record(&rig);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_window_or_pane_that_an_outsider_closes_is_one_line_and_a_new_life() {
    for command in [["kill-session", "-t", "$0"], ["kill-window", "-t", "@0"], ["kill-pane", "-t", "%0"]] {
        let rig = Rig::new().await;
        let bob = rig.sleeper("bob").await;
        assert!(rig.outsider(&bob, &command).status.success());
        rig.until_up("bob", 2).await;
        let exits = session_exits(&rig);
        assert_eq!(exits.len(), 1, "{command:?}: {exits:?}");
        assert!(exits[0].contains("cause=session-killed"), "{}", exits[0]);
        no_server_record(&rig);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_always_dies_at_birth_is_told_to_whoever_started_it_and_quarantined() {
    let rig = Rig::impatient().await;
    let quarantined = |view: &PeerView| view.phase == PhaseName::Quarantined;
    let mut started = rig.fleet.create(rig.script("bob", "exit 7")).await.map(|created| created.peer);
    // On a loaded machine an end may come too late to be called one at birth; the next one comes in time.
    while started.is_ok() {
        rig.until("bob", "quarantined", quarantined).await;
        rig.fleet.reset("bob").await.unwrap();
        started = rig.fleet.start("bob", PATIENCE).await;
    }
    let error = started.unwrap_err();
    assert_eq!(error.code(), "start-failed");
    assert!(error.to_string().contains("exited with status 7"), "{error}");
    let view = rig.until("bob", "quarantined", quarantined).await;
    assert_eq!(view.deaths_recent, 6);
    let refused = rig.fleet.start("bob", PATIENCE).await.unwrap_err();
    assert_eq!((refused.code(), refused.hint().contains("coalmine reset")), ("wrong-phase", true));
    assert_eq!(session_exits(&rig).len() % 6, 0);
    let reset = rig.fleet.reset("bob").await.unwrap();
    assert_eq!((reset[0].phase, reset[0].deaths_recent), (PhaseName::Stopped, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_does_not_exist_is_refused_and_nothing_is_made() {
    let rig = Rig::new().await;
    let request = CreatePeer { command: vec!["no-such-program".into()], ..rig.script("bob", "") };
    assert_eq!(rig.fleet.create(request).await.unwrap_err().code(), "bad-command");
    assert!(rig.fleet.list().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_decides_what_follows_a_death() {
    for (policy, up_again) in [(RestartPolicy::Never, false), (RestartPolicy::Always, true)] {
        let rig = Rig::new().await;
        let bob = waiting(&rig, "exit 0", policy).await;
        say(&rig, &bob);
        if up_again {
            rig.until_up("bob", 2).await;
        } else {
            rig.until("bob", "stopped", |view| view.phase == PhaseName::Stopped).await;
        }
    }
    let rig = Rig::new().await;
    let bob = waiting(&rig, "exit 0", RestartPolicy::Never).await;
    kill(bob.server_pid.unwrap());
    rig.until("bob", "stopped", |view| view.phase == PhaseName::Stopped).await;
    rig.settled("bob").await;
    assert_eq!(rig.records().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pane_that_is_closed_beside_a_second_window_is_one_line_and_a_new_life() {
    let rig = Rig::new().await;
    let bob = rig.sleeper("bob").await;
    assert!(rig.outsider(&bob, &["new-window", "-d", "-t", "$0", "sleep 3600"]).status.success());
    assert!(rig.outsider(&bob, &["kill-pane", "-t", "%0"]).status.success());
    if let Err(error) = rig.fleet.capture("bob").await {
        assert_eq!(error.code(), "wrong-phase", "{error}");
    }
    rig.until_up("bob", 2).await;
    let exits = session_exits(&rig);
    assert_eq!(exits.len(), 1, "{exits:?}");
    assert!(exits[0].contains("cause=session-killed"), "{}", exits[0]);
    no_server_record(&rig);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_an_outsider_puts_into_the_pane_is_watched_like_its_predecessor() {
    let rig = Rig::new().await;
    let bob = rig.sleeper("bob").await;
    // Without its hook the server tells nobody: only who watches the new program hears of its end.
    assert!(rig.outsider(&bob, &["set-hook", "-gu", "pane-died"]).status.success());
    assert!(rig.outsider(&bob, &["respawn-pane", "-k", "-t", "%0", "sleep 4; exit 3"]).status.success());
    let view = rig.until_up("bob", 2).await;
    assert_eq!(view.deaths_recent, 1);
    let exits = session_exits(&rig);
    assert!(exits.len() == 1 && exits[0].contains("dead_status=3"), "{exits:?}");
    no_server_record(&rig);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_a_program_is_told_also_where_the_helper_was_away_when_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let (place, kept, tries) = (folder.path().join("helper"), folder.path().join("kept"), folder.path().join("tries"));
    std::fs::copy(helper(), &place).unwrap();
    let rig = Rig::with(|builder| builder.helper(&place)).await;
    let bob = waiting(&rig, "exit 3", RestartPolicy::OnFailure).await;
    std::fs::rename(&place, &kept).unwrap();
    let broken = format!("#!/bin/sh\necho >> {}; exit 1\n", tries.display());
    std::fs::write(&place, broken).unwrap();
    std::fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    say(&rig, &bob);
    let failed = || async { (std::fs::read_to_string(&tries).ok()?.lines().count() >= 2).then_some(()) };
    eventually("the server and the daemon tried it", failed).await;
    std::fs::rename(&kept, &place).unwrap();
    assert_eq!(rig.until_up("bob", 2).await.deaths_recent, 1);
    assert_eq!(session_exits(&rig).len(), 1, "{:?}", session_exits(&rig));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_window_of_a_person_is_their_own_business() {
    let rig = Rig::new().await;
    let bob = rig.sleeper("bob").await;
    assert!(rig.outsider(&bob, &["new-window", "-t", "$0", "exit 5"]).status.success());
    assert!(rig.outsider(&bob, &["new-session", "-d", "-s", "mine", "sleep 60"]).status.success());
    assert!(rig.outsider(&bob, &["kill-session", "-t", "=mine"]).status.success());
    // The pane of the main session ends last: when its line is there, the others would be too.
    assert!(rig.outsider(&bob, &["kill-session", "-t", "$0"]).status.success());
    rig.until_up("bob", 2).await;
    assert_eq!(session_exits(&rig).len(), 1, "{:?}", session_exits(&rig));
}
