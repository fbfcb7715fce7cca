//! `/metrics`: what a monitoring system reads of a fleet.

use crate::support::{Daemon, alive, eventually, http, kill};
use serde_json::Value;

fn scraped(daemon: &Daemon) -> String {
    let socket = daemon.paths().daemon_socket();
    let answer = http::answer(&socket, &http::request("GET", "/metrics", b""));
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("application/openmetrics-text"), "{answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[track_caller]
fn has(text: &str, lines: &[&str]) {
    lines.iter().for_each(|line| assert!(text.lines().any(|is| is == *line), "{line} is not in {text}"));
}

#[tokio::test]
async fn a_fleet_tells_its_deaths_restarts_states_latencies_and_queues() {
    let daemon = Daemon::start().await;
    let bob = daemon.sleeper("bob");
    daemon.ask(&["create", "ann", "--", "sleep", "60"]);
    // The scrape itself is in work; the request before it may be, for a moment after its answer.
    let at_rest = eventually("nothing else is in work", || async {
        let lines = [r#"coalmine_queue_length{queue="journal"} 0"#, r#"coalmine_queue_length{queue="api"} 1"#];
        Some(scraped(&daemon)).filter(|text| lines.iter().all(|line| text.contains(line)))
    })
    .await;
    has(
        &at_rest,
        &[
            r#"coalmine_peers{state="up"} 1"#,
            r#"coalmine_peers{state="asleep"} 1"#,
            r#"coalmine_peers{state="quarantined"} 0"#,
            r#"coalmine_peer_up{identity="shell-bob"} 1"#,
            r#"coalmine_queue_length{queue="journal"} 0"#,
            r#"coalmine_queue_length{queue="registry"} 0"#,
            r#"coalmine_queue_length{queue="api"} 1"#,
            r#"coalmine_store_unavailable{store="journal"} 0"#,
            "coalmine_records_owed 0",
            "coalmine_start_seconds_count 1",
            "# EOF",
        ],
    );
    kill(bob["server_pid"].as_i64().unwrap().try_into().unwrap());
    let text = eventually("the death and the restart are counted", || async {
        let text = scraped(&daemon);
        let counted = [r#"cause="killed",witness="canary"} 1"#, "coalmine_restart_seconds_count 1"];
        counted.iter().all(|words| text.contains(words)).then_some(text)
    })
    .await;
    has(&text, &[r#"coalmine_peer_restarts_total{identity="shell-bob"} 1"#, "coalmine_start_seconds_count 2"]);
    daemon.ask(&["remove", "bob", "--force"]);
    assert!(!scraped(&daemon).contains("shell-bob"));
}

#[tokio::test]
async fn what_was_found_before_the_api_answered_is_counted_and_what_an_earlier_daemon_saw_is_not() {
    let daemon = Daemon::start().await;
    let bob = daemon.sleeper("bob");
    kill(bob["server_pid"].as_i64().unwrap().try_into().unwrap());
    eventually("the record was taken in, and that was noted", || async {
        let size = daemon.read("journal/exits.log").len();
        let noted: Value = serde_json::from_str(&daemon.read("journal/exits.imported")).ok()?;
        (size > 0 && noted["offset"] == size).then_some(())
    })
    .await;
    let bob = daemon.until("bob", "is up", |peer| peer["gen"] == 2 && peer["phase"] == "up").await;
    let pid = |key: &str| i32::try_from(bob[key].as_i64().unwrap()).unwrap();
    daemon.signal(rustix::process::Signal::KILL);
    let (_, root) = daemon.ended().await;
    // Nobody witnesses this one: the next daemon finds out.
    for pid in [pid("canary_pid"), pid("server_pid")] {
        kill(pid);
        // One that is still dying would be adopted, and its end seen by the next daemon itself.
        eventually("it is gone", || async { (!alive(pid)).then_some(()) }).await;
    }
    let daemon = Daemon::on(root).await;
    let text = eventually("the next daemon has counted", || async {
        Some(scraped(&daemon)).filter(|text| text.contains(r#"witness="recovery"} 1"#))
    })
    .await;
    assert!(!text.contains(r#"witness="canary""#), "{text}");
}
