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
