//! How mail that waits, and what became of the rest, is told by everything that tells of the fleet.

use super::{
    crash::{peer, root},
    home, works,
};
use crate::support::{Daemon, eventually, http};
use serde_json::json;

fn scraped(daemon: &Daemon) -> String {
    http::answer(&daemon.paths().daemon_socket(), &http::request("GET", "/metrics", b""))
}

#[track_caller]
fn has(text: &str, lines: &[&str]) {
    lines.iter().for_each(|line| assert!(text.lines().any(|is| is == *line), "{line} is not in {text}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_told_by_list_show_status_and_metrics_until_it_does_not() {
    let daemon = Daemon::on(root()).await;
    peer(&daemon, "bob");
    daemon.coalmine(&["status"]).tells(&["mail", "none waits"]);
    has(&scraped(&daemon), &["coalmine_mail_waiting 0", r#"coalmine_mail_messages_total{state="submitted"} 0"#]);
    let home = home(daemon.folder(), "bob");
    works(&daemon, "bob").await;
    let sent = daemon.ask(&["send", "bob", "--message", "one"]);
    daemon.ask(&["send", "bob", "--message", "two"]);
    assert_eq!(daemon.coalmine(&["send", "bob", "--message", "cancelled"]).code, 0);
    let last = daemon.ask(&["mail", "list", "bob", "-n", "1"])["messages"][0]["id"].as_str().unwrap().to_owned();
    daemon.ask(&["mail", "cancel", &last]);
    let waits = json!({ "count": 2, "since": sent["queued_at"] });
    assert_eq!(daemon.ask(&["list"])[0]["mail"], waits);
    assert_eq!(daemon.ask(&["show", "bob"])[0]["mail"], waits);
    daemon.coalmine(&["list"]).tells(&["agent-bob: 2 messages wait, the oldest for", "`coalmine mail list agent-bob`"]);
    daemon.coalmine(&["show", "bob"]).tells(&["mail", "2 messages wait, the oldest for"]);
    daemon.coalmine(&["status"]).tells(&["2 wait for 1 peer, the oldest for", "1 failed"]);
    let status = daemon.ask(&["status"])["mail"].clone();
    assert_eq!(
        (&status["waiting"], &status["recipients"], &status["oldest"], &status["failed"]),
        (&json!(2), &json!(1), &sent["queued_at"], &json!(1))
    );
    has(
        &scraped(&daemon),
        &[
            "coalmine_mail_waiting 2",
            r#"coalmine_mail_messages_total{state="failed"} 1"#,
            r#"coalmine_store_unavailable{store="mail"} 0"#,
        ],
    );
    std::fs::remove_file(home.join("busy")).unwrap();
    eventually("both have landed", || async { (daemon.ask(&["status"])["mail"]["submitted"] == 2).then_some(()) })
        .await;
    assert_eq!(daemon.ask(&["show", "bob"])[0]["mail"], json!(null));
    daemon.ask(&["stop", "bob"]);
    assert_eq!(daemon.coalmine(&["send", "bob", "--message", "x"]).code, 4);
    let text = scraped(&daemon);
    let refused = [r#"coalmine_mail_messages_total{state="refused"} 1"#, "coalmine_mail_oldest_waiting_seconds 0"];
    has(&text, &refused);
}
