//! What a peer says of its own restarts and its own sleep: kept, shown, explained, followed.

use crate::support::{Daemon, Root};
use rustix::process::Signal;
use serde_json::json;

const KNOBS: &str = "create bob --restart always --deaths-max 2 --window 60s --delay-first 500ms --delay-max 10s \
                     --idle-after 2h -- sleep 60";

#[tokio::test]
async fn the_numbers_of_a_peer_are_kept_shown_and_changed_one_by_one_with_and_without_a_daemon() {
    let config = "[restart]\nhealthy_after = \"7m\"\n";
    let daemon = Daemon::on(Root::with(&[("home/.config/coalmine/config.toml", config)])).await;
    daemon.ask(&KNOBS.split_whitespace().collect::<Vec<_>>());
    let limit = json!({
        "deaths_max": 2, "window_ms": 60_000, "delay_first_ms": 500, "delay_max_ms": 10_000, "healthy_after_ms": 420_000
    });
    let bob = daemon.peer("bob");
    assert_eq!(
        (&bob["restart"], &bob["restart_limit"], &bob["idle_after_ms"]),
        (&json!("always"), &limit, &json!(7_200_000))
    );
    let told = ["2 deaths within 1m, waits of 500ms to 10s, healthy after 7m", "after 2h without a sign of life"];
    daemon.coalmine(&["show", "bob"]).tells(&told);
    daemon.coalmine(&["explain", "bob"]).tells(&["0 of 2 deaths within 1m; 2 left"]);
    let changed = daemon.ask(&["create", "bob", "--deaths-max", "3", "--idle-after", "0s", "--", "sleep", "60"]);
    assert_eq!(changed["changed"], json!(["restart", "idle_after"]));
    let bob = daemon.peer("bob");
    assert_eq!((&bob["restart_limit"]["deaths_max"], &bob["restart_limit"]["window_ms"]), (&json!(3), &json!(60_000)));
    assert_eq!(bob["idle_after_ms"], json!(null));

    daemon.signal(Signal::TERM);
    let (_, root) = daemon.ended().await;
    root.coalmine(&["show", "bob"]).tells(&["3 deaths within 1m, waits of 500ms to 10s, healthy after 7m"]);
    root.coalmine(&["explain", "bob"]).tells(&["0 of 3 deaths within 1m; 3 left"]);
}

#[tokio::test]
async fn a_project_declares_them_too_and_they_are_followed() {
    let project = "[peer.web]\ncommand = [\"sleep\", \"60\"]\nidle_after = \"1s\"\nrestart_knobs = { deaths_max = 0 }\n\
                   [peer.api]\ncommand = [\"sleep\", \"60\"]\n";
    let daemon = Daemon::on(Root::with(&[("coalmine.toml", project)])).await;
    daemon.ask(&["up"]);
    let web = daemon.until("web", "asleep", |peer| peer["phase"] == "asleep").await;
    assert_eq!((&web["detail"], &web["restart_limit"]["deaths_max"]), (&json!("idle for 1 s"), &json!(0)));
    assert_eq!(daemon.peer("api")["phase"], "up", "its runtime lets nobody sleep");
    daemon.coalmine(&["up", "--dry-run"]).tells(&["unchanged  shell-api", "unchanged  shell-web, and start it"]);
}

#[tokio::test]
async fn numbers_that_make_no_sense_are_refused_with_what_they_may_be() {
    let daemon = Daemon::start().await;
    for (flag, value, says) in [
        ("--deaths-max", "1001", "restart_knobs.deaths_max is 1001; 1000 are the limit"),
        ("--window", "0s", "restart_knobs.window must be over 0 and at most 7 days"),
        ("--delay-max", "200h", "restart_knobs.delay_max is 200h; it must be 0 to 7 days"),
        ("--idle-after", "800h", "idle_after must be 0 (never) to 30 days"),
        ("--idle-after", "soon", "invalid value 'soon' for '--idle-after <TIME>'"),
    ] {
        let refused = daemon.coalmine(&["create", "bob", flag, value, "--", "sleep", "60"]);
        assert_eq!(refused.code, 2, "{flag} {value}: {}", refused.err);
        assert!(refused.err.contains(says), "{flag} {value}: {}", refused.err);
    }
    assert_eq!(daemon.ask(&["list"]), json!([]));
}
