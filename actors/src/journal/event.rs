//! Events as lines: `ts=2026-11-21T01:23:45.678901Z seq=42 ev=up identity=claude-bob …`.
//!
//! A [`Draft`] is what somebody wants to have noted; the journal gives it its time and its place and so makes
//! an [`Event`] of it. The first three fields are known by their position, so a draft may name its own fields
//! as it likes.

use super::logfmt;
use crate::{names::Identity, view::Event};
use jiff::Timestamp;

/// Longest value that a draft keeps, bytes; a longer one is cut and ends in `…`.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;

/// An event without its time and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What happened: one word with dashes.
    pub ev: String,
    /// The rest, in order.
    pub fields: Vec<(String, String)>,
}

impl Draft {
    /// A draft that says only what happened.
    pub fn new(ev: impl Into<String>) -> Self {
        Self { ev: ev.into(), fields: Vec::new() }
    }

    /// Adds a field; `key` holds only `a-z`, `0-9` and `_`.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.fields.push((key.to_owned(), cut(value.to_string(), VALUE_BYTES_MAX)));
        self
    }

    /// Says whom it is about, in front of everything else.
    #[must_use]
    pub fn about(mut self, identity: &Identity) -> Self {
        self.fields.insert(0, ("identity".into(), identity.to_string()));
        self
    }

    /// The event that this draft is at `ts`, in place `seq`.
    pub fn into_event(self, ts: Timestamp, seq: u64) -> Event {
        Event { ts: written_precision(ts), seq, ev: self.ev, fields: self.fields }
    }
}

/// Why a line is no event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadEvent {
    /// It is not logfmt.
    #[error(transparent)]
    Line(#[from] logfmt::BadLine),
    /// A field is not where it must be.
    #[error("`{0}=` is missing")]
    Missing(&'static str),
    /// A field does not hold what it must.
    #[error("{key}={value:?} can not be read")]
    Unreadable {
        /// Which field.
        key: &'static str,
        /// What it holds.
        value: String,
    },
}

/// The event as a line, without a final `\n`.
pub fn render(event: &Event) -> String {
    let mut line = String::with_capacity(128);
    logfmt::push(&mut line, "ts", &time_text(event.ts));
    logfmt::push(&mut line, "seq", &event.seq.to_string());
    logfmt::push(&mut line, "ev", &event.ev);
    for (key, value) in &event.fields {
        logfmt::push(&mut line, key, value);
    }
    line
}

/// Reads a line of the journal.
///
/// # Errors
/// [`BadEvent`] says what is wrong with it.
pub fn parse_line(line: &str) -> Result<Event, BadEvent> {
    let mut fields = logfmt::parse(line)?.into_iter();
    let mut take = |key: &'static str| match fields.next() {
        Some((found, value)) if found == key => Ok(value),
        _ => Err(BadEvent::Missing(key)),
    };
    let (ts, seq, ev) = (take("ts")?, take("seq")?, take("ev")?);
    let seq = seq.parse().map_err(|_not_a_number| BadEvent::Unreadable { key: "seq", value: seq.clone() })?;
    Ok(Event { ts: parse_time(ts)?, seq, ev, fields: fields.collect() })
}

/// The place of a journal line without a look at the rest of it: skipping old lines costs next to nothing.
pub fn seq_of(line: &str) -> Option<u64> {
    let (_ts, rest) = line.strip_prefix("ts=")?.split_once(' ')?;
    rest.strip_prefix("seq=")?.split(' ').next()?.parse().ok()
}

/// Makes a draft of a line that another program wrote into exits.log, with the time that the line names.
///
/// A line that can not be read is not dropped: it becomes `ev=foreign-line-bad reason=… line=…` at `now`.
pub fn import(line: &str, now: Timestamp) -> (Timestamp, Draft) {
    read_foreign(line)
        .unwrap_or_else(|why| (now, Draft::new("foreign-line-bad").with("reason", why).with("line", line)))
}

/// The time that a foreign line names.
pub fn foreign_time(line: &str) -> Option<Timestamp> {
    read_foreign(line).ok().map(|(ts, _draft)| ts)
}

fn read_foreign(line: &str) -> Result<(Timestamp, Draft), BadEvent> {
    let mut fields = logfmt::parse(line)?;
    let mut take = |key: &'static str| {
        let at = fields.iter().position(|(name, _)| name == key).ok_or(BadEvent::Missing(key))?;
        Ok::<_, BadEvent>(fields.remove(at).1)
    };
    let (ts, ev) = (take("ts")?, take("ev")?);
    Ok((parse_time(ts)?, Draft { ev, fields }))
}

/// RFC 3339 in UTC with microseconds.
fn time_text(ts: Timestamp) -> String {
    format!("{ts:.6}")
}

fn parse_time(text: String) -> Result<Timestamp, BadEvent> {
    let ts: Timestamp = text.parse().map_err(|_no_time| BadEvent::Unreadable { key: "ts", value: text })?;
    Ok(written_precision(ts))
}

/// Cut to what a line holds, so that an event that is followed equals the same event replayed.
fn written_precision(ts: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(ts.as_microsecond()).expect("a timestamp's own microseconds are in its range")
}

/// The text, or as much of its beginning as fits with a `…` behind it.
pub fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ts(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_event_is_one_line_with_microseconds() {
        let draft = Draft::new("up").with("identity", "claude-bob").with("gen", 7).with("note", "two words");
        let event = draft.into_event(ts("2026-11-21T01:23:45.678901234Z"), 42);
        let line = "ts=2026-11-21T01:23:45.678901Z seq=42 ev=up identity=claude-bob gen=7 note=\"two words\"";
        assert_eq!(render(&event), line);
        assert_eq!(seq_of(line), Some(42));
        assert_eq!(parse_line(line), Ok(event));
    }

    #[test]
    fn a_whole_second_keeps_its_six_digits() {
        let event = Draft::new("up").into_event(ts("2026-11-21T01:23:45Z"), 1);
        assert_eq!(render(&event), "ts=2026-11-21T01:23:45.000000Z seq=1 ev=up");
    }

    #[test]
    fn a_long_value_is_cut_and_says_so() {
        let draft = Draft::new("x").with("text", "é".repeat(VALUE_BYTES_MAX));
        assert_eq!(draft.fields[0].1.len(), VALUE_BYTES_MAX + '…'.len_utf8());
        assert!(draft.fields[0].1.ends_with("é…"));
    }

    #[test]
    fn a_line_that_is_no_event_says_why() {
        for (line, why) in [
            ("", "`ts=` is missing"),
            ("seq=1 ts=2026-11-21T01:23:45Z ev=up", "`ts=` is missing"),
            ("ts=2026-11-21T01:23:45Z seq=1", "`ev=` is missing"),
            ("ts=now seq=1 ev=up", "ts=\"now\" can not be read"),
            ("ts=2026-11-21T01:23:45Z seq=-1 ev=up", "seq=\"-1\" can not be read"),
            ("ts=2026-11-21T01:23:45Z seq=1 ev=\"up", "byte 36: the quoted value does not end"),
        ] {
            assert_eq!(parse_line(line).unwrap_err().to_string(), why, "{line}");
        }
    }

    #[test]
    fn a_foreign_line_keeps_its_own_time_and_fields() {
        let now = ts("2026-11-21T09:00:00Z");
        let line = "ts=2026-11-21T01:23:45.678901Z ev=session-exit identity=claude-bob gen=7 dead_signal= cause=x";
        let (at, draft) = import(line, now);
        assert_eq!(at, ts("2026-11-21T01:23:45.678901Z"));
        assert_eq!(foreign_time(line), Some(at));
        let expected = Draft::new("session-exit").with("identity", "claude-bob").with("gen", 7);
        assert_eq!(draft, expected.with("dead_signal", "").with("cause", "x"));
    }

    #[test]
    fn a_foreign_line_that_can_not_be_read_is_kept_as_text() {
        let now = ts("2026-11-21T09:00:00Z");
        for line in ["no logfmt at all!", "ev=x", "ts=yesterday ev=x", "ts=2026-11-21T01:23:45Z"] {
            let (at, draft) = import(line, now);
            assert_eq!((at, draft.ev.as_str()), (now, "foreign-line-bad"));
            assert_eq!(draft.fields[1], ("line".into(), line.into()));
            assert_eq!(foreign_time(line), None);
        }
    }

    prop_compose! {
        fn any_event()(
            us in -2_000_000_000_000_000i64..4_000_000_000_000_000,
            seq in any::<u64>(),
            ev in any::<String>(),
            fields in prop::collection::vec(("[a-z0-9_]+", any::<String>()), 0..6),
        ) -> Event {
            Event { ts: Timestamp::from_microsecond(us).unwrap(), seq, ev, fields }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_rendered_is_read_back(event in any_event()) {
            let line = render(&event);
            prop_assert!(!line.contains('\n'));
            prop_assert_eq!(seq_of(&line), Some(event.seq));
            prop_assert_eq!(parse_line(&line), Ok(event));
        }

        #[test]
        fn any_text_can_be_imported_and_read_back(text in any::<String>()) {
            let (ts, draft) = import(&text, Timestamp::UNIX_EPOCH);
            let event = draft.into_event(ts, 1);
            prop_assert_eq!(parse_line(&render(&event)), Ok(event));
        }
    }
}
