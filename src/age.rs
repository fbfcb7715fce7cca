//! Ages and durations for people: two units at most, so that a column stays narrow.

use jiff::{SignedDuration, Span, Timestamp, fmt::friendly::SpanPrinter};

const PRINTER: SpanPrinter = SpanPrinter::new();

/// How long ago `then` was: `45s`, `3m 20s`, `2h 5m`, `3d 4h`. A moment that has not come yet is `0s`.
pub fn since(then: Timestamp, now: Timestamp) -> String {
    duration(now.duration_since(then))
}

/// A duration in its two largest units, whole seconds at the finest.
pub fn duration(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let span = match () {
        () if days > 0 => Span::new().try_days(days).and_then(|span| span.try_hours(hours % 24)),
        () if hours > 0 => Span::new().try_hours(hours).and_then(|span| span.try_minutes(minutes % 60)),
        () => Span::new().try_minutes(minutes).and_then(|span| span.try_seconds(seconds % 60)),
    };
    // Out of jiff's range only when a clock is off by millennia.
    span.map_or_else(|_| "very long".to_owned(), |span| PRINTER.span_to_string(&span))
}

/// A moment for people: `2026-11-21 01:23:45Z`.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_two_units_at_most() {
        for (seconds, text) in
            [(-5, "0s"), (0, "0s"), (45, "45s"), (200, "3m 20s"), (7500, "2h 5m"), (3600, "1h"), (273_600, "3d 4h")]
        {
            assert_eq!(duration(SignedDuration::from_secs(seconds)), text);
        }
    }
}
