use super::*;
use jiff::Timestamp;

fn event(second: i64, ev: &str, fields: &[(&str, &str)]) -> Event {
    let fields = fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Event { ts: Timestamp::from_second(second).unwrap(), seq: 1, ev: ev.into(), fields }
}

fn text(metrics: &Metrics) -> String {
    let mut text = String::new();
    text::encode(&mut text, &metrics.shown.lock().unwrap().0).unwrap();
    text
}

#[test]
fn deaths_are_counted_by_cause_and_witness_and_strange_words_make_no_new_series() {
    let metrics = Metrics::default();
    for cause in ["killed", "killed", "made up", "\"} evil 1\n"] {
        metrics.counts.take(&event(1, "server-exit", &[("cause", cause), ("witness", "canary")]));
    }
    metrics.counts.take(&event(1, "session-exit", &[("cause", "exited")]));
    let text = text(&metrics);
    for line in [
        r#"coalmine_deaths_total{of="server",cause="killed",witness="canary"} 2"#,
        r#"coalmine_deaths_total{of="server",cause="other",witness="canary"} 2"#,
        r#"coalmine_deaths_total{of="session",cause="exited",witness="hook"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[test]
fn a_restart_lasts_from_the_death_to_the_next_ready_life() {
    let metrics = Metrics::default();
    let bob = [("identity", "shell-bob"), ("ms", "20")];
    metrics.counts.take(&event(10, "up", &bob));
    metrics.counts.take(&event(20, "death", &bob));
    metrics.counts.take(&event(23, "up", &bob));
    // Nobody came after this one, so the next start is none.
    metrics.counts.take(&event(30, "death", &bob));
    metrics.counts.take(&event(31, "stopped", &bob));
    metrics.counts.take(&event(90, "up", &bob));
    let text = text(&metrics);
    for line in
        ["coalmine_restart_seconds_sum 3.0", "coalmine_restart_seconds_count 1", "coalmine_start_seconds_count 3"]
    {
        assert!(text.contains(line), "{line} is not in {text}");
    }
}

#[test]
fn a_daemon_whose_own_start_is_not_in_the_file_yet_counts_nothing_of_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = "ts=2026-11-21T01:00:00.000000Z seq=1 ev=daemon-started pid=7\n\
               ts=2026-11-21T01:00:01.000000Z seq=2 ev=server-exit\n";
    let second = "ts=2026-11-21T02:00:00.000001Z seq=3 ev=daemon-started pid=7\n\
                  ts=2026-11-21T02:00:01.000000Z seq=4 ev=server-exit\n";
    let seen = |text: &str, since: &str| {
        std::fs::write(folder.path().join("lifecycle.log"), text).unwrap();
        let events = past(folder.path(), since.parse().unwrap()).unwrap();
        events.iter().map(|event| event.seq).collect::<Vec<_>>()
    };
    let (first, again) = ("2026-11-21T01:00:00.0000009Z", "2026-11-21T02:00:00Z");
    assert_eq!(seen(log, first), [2], "a moment's last digits are not in the file");
    assert_eq!(seen(log, again), [0; 0]);
    assert_eq!(seen(&format!("{log}{second}"), again), [4]);
}
