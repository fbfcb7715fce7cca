//! Attachments in `status` and `/metrics`, and a manifest that can not be read.

use super::{conformance::noise, disk::blob};
use crate::support::{Daemon, Root, eventually, http};
use coalmine_actors::attachments::AttachmentId;
use serde_json::json;
use std::fs;

fn metrics(daemon: &Daemon) -> String {
    http::answer(&daemon.paths().daemon_socket(), &http::request("GET", "/metrics", b""))
}

#[track_caller]
fn has(text: &str, lines: &[&str]) {
    lines.iter().for_each(|line| assert!(text.lines().any(|is| is == *line), "{line} is not in {text}"));
}

#[tokio::test]
async fn status_and_metrics_tell_how_much_there_is_what_is_damaged_and_when_was_swept() {
    let config = "[attachments]\ntotal_bytes_max = \"2M\"\n";
    let daemon = Daemon::on(Root::with(&[("home/.config/coalmine/config.toml", config)])).await;
    daemon.coalmine(&["status"]).tells(&["0 attachments of 0 bytes, the quota is 2097152"]);
    for seed in [1, 2] {
        let file = daemon.folder().join("file");
        fs::write(&file, noise(seed, 5_000)).unwrap();
        daemon.coalmine(&["attachment", "put", file.to_str().unwrap()]).tells(&[]);
    }
    let view = daemon.ask(&["status"])["attachments"].take();
    let expected = json!({
        "count": 2, "bytes": 10_000, "total_bytes_max": 2_097_152, "damaged": 0, "last_sweep": null
    });
    assert_eq!(view, expected);
    let id = AttachmentId::of(&noise(1, 5_000));
    fs::write(blob(daemon.path(), id), "not these").unwrap();
    daemon.coalmine(&["attachment", "get", &id.to_string()]);
    let damaged = || async { (daemon.ask(&["status"])["attachments"]["damaged"] == 1).then_some(()) };
    eventually("the damage is noted", damaged).await;
    daemon.coalmine(&["status"]).tells(&["1 damaged: `coalmine attachment verify`"]);
    fs::write(daemon.path().join("attachments/notes.txt"), "a stranger's").unwrap();
    daemon.coalmine(&["attachment", "forget", &id.to_string()]).tells(&["1 reference ended"]);
    daemon.coalmine(&["attachment", "gc", "--dry-run"]);
    assert_eq!(daemon.ask(&["status"])["attachments"]["last_sweep"], json!(null), "a dry run is no sweep");
    assert_eq!(daemon.coalmine(&["attachment", "gc", "--grace", "0s"]).code, 6, "the stranger's file is named");
    let status = daemon.ask(&["status"])["attachments"].take();
    let last = &status["last_sweep"];
    assert_eq!((&status["count"], &status["damaged"]), (&json!(1), &json!(0)));
    assert_eq!((&last["removed"], &last["named"], &last["failed"]), (&json!(1), &json!(1), &json!(null)), "{last}");
    daemon.coalmine(&["status"]).tells(&["1 attachment of 5000 bytes", ", swept 0s ago with 1 to look at"]);
    let text = metrics(&daemon);
    has(
        &text,
        &[
            r#"coalmine_attachments{state="known"} 1"#,
            r#"coalmine_attachments{state="damaged"} 0"#,
            r#"coalmine_attachments_bytes{of="known"} 5000"#,
            r#"coalmine_attachments_bytes{of="quota"} 2097152"#,
            r#"coalmine_store_unavailable{store="attachments"} 0"#,
        ],
    );
    assert!(text.contains("coalmine_attachments_last_sweep_seconds 1"), "{text}");
}

#[tokio::test]
async fn a_manifest_that_can_not_be_read_is_told_and_its_numbers_are_no_series() {
    let root = Root::new();
    let file = root.folder().join("file");
    fs::write(&file, "words").unwrap();
    root.coalmine(&["attachment", "put", file.to_str().unwrap()]).tells(&[]);
    fs::write(root.path().join("attachments/manifest.sqlite"), noise(1, 8_192)).unwrap();
    let daemon = Daemon::on(root).await;
    let status = daemon.ask(&["status"]);
    assert_eq!(status.get("attachments"), None, "{status}");
    let down = &status["unavailable"][0];
    assert!(down["store"] == "attachments" && down["why"].as_str().unwrap().contains("not a database"), "{status}");
    daemon.coalmine(&["status"]).tells(&["attachments, ", "manifest.sqlite is damaged"]);
    let text = metrics(&daemon);
    has(&text, &[r#"coalmine_store_unavailable{store="attachments"} 1"#]);
    assert!(!text.contains("coalmine_attachments{"), "{text}");
}
