//! The ledger's rows: what it decides, without actor, file or clock.

use super::{event::Draft, ledger::*};
use crate::backoff::backoff;
use jiff::Timestamp;
use proptest::prelude::*;
use tokio::time::Instant;

fn draft(n: usize) -> Input {
    Input::Record(Timestamp::UNIX_EPOCH, Draft::new("x").with("n", n))
}

fn seqs(effects: &[Effect]) -> Vec<u64> {
    let published =
        effects.iter().filter_map(|effect| if let Effect::Publish(events) = effect { Some(events) } else { None });
    published.flatten().map(|event| event.seq).collect()
}

fn open(last_seq: u64) -> (Ledger, Instant) {
    let mut ledger = Ledger::new();
    let now = Instant::now();
    ledger.step(Input::Opened(last_seq), now);
    (ledger, now)
}

#[test]
fn what_comes_before_the_file_is_open_waits_for_it() {
    let mut ledger = Ledger::new();
    let now = Instant::now();
    assert_eq!(ledger.step(draft(1), now), []);
    let effects = ledger.step(Input::Opened(41), now);
    assert_eq!(effects, [Effect::Append("ts=1970-01-01T00:00:00.000000Z seq=42 ev=x n=1\n".into())]);
}

#[test]
fn a_full_batch_leaves_the_rest_for_the_next() {
    let (mut ledger, now) = open(0);
    for n in 0..=BATCH_EVENTS_MAX + 1 {
        ledger.step(draft(n), now);
    }
    assert_eq!(seqs(&ledger.step(Input::Written, now)), [1]);
    let first = seqs(&ledger.step(Input::Written, now));
    assert_eq!(first.len(), BATCH_EVENTS_MAX);
    assert_eq!(seqs(&ledger.step(Input::Written, now)), [BATCH_EVENTS_MAX as u64 + 2]);
    assert!(ledger.is_settled());
}

#[test]
fn a_sync_follows_the_first_write_by_a_second_and_none_is_added_meanwhile() {
    let (mut ledger, now) = open(0);
    ledger.step(draft(1), now);
    assert!(ledger.step(Input::Written, now).contains(&Effect::SyncIn(SYNC_AFTER)));
    ledger.step(draft(2), now);
    assert!(!ledger.step(Input::Written, now).contains(&Effect::SyncIn(SYNC_AFTER)));
    assert_eq!(ledger.step(Input::SyncDue, now), [Effect::Sync]);
    ledger.step(draft(3), now);
    assert!(ledger.step(Input::Written, now).contains(&Effect::SyncIn(SYNC_AFTER)));
}

#[test]
fn a_journal_that_never_opened_tries_to_open_again() {
    let mut ledger = Ledger::new();
    let now = Instant::now();
    assert_eq!(ledger.step(Input::Failed("no".into()), now), [Effect::RetryIn(backoff(1))]);
    assert_eq!(ledger.retry_at(), Some(now + backoff(1)));
    assert_eq!(ledger.step(Input::Retry, now), [Effect::Open]);
    assert_eq!(ledger.trouble(), Some("no"), "until it is better");
    ledger.step(Input::Opened(0), now);
    assert_eq!(ledger.trouble(), None);
}

#[test]
fn the_oldest_events_are_dropped_and_counted_and_foreign_lines_never() {
    let (mut ledger, now) = open(0);
    ledger.step(draft(0), now);
    ledger.step(Input::Import(vec![(Timestamp::UNIX_EPOCH, Draft::new("foreign"))], 99), now);
    for n in 1..=WAITING_EVENTS_MAX {
        ledger.step(draft(n), now);
    }
    ledger.step(Input::Failed("full".into()), now);
    assert_eq!(ledger.waiting(), WAITING_EVENTS_MAX);
    let effects = ledger.step(Input::Retry, now);
    let [Effect::Append(lines)] = effects.as_slice() else { panic!("{effects:?}") };
    let heads: Vec<_> = lines.lines().take(3).map(|line| line.split_once("seq=").unwrap().1).collect();
    assert_eq!(heads, ["1 ev=journal-lost n=2", "2 ev=foreign", "3 ev=x n=2"]);
    let done = ledger.step(Input::Written, now);
    assert!(done.contains(&Effect::Imported(99)));
}

#[test]
fn an_import_without_lines_is_done_at_once() {
    let (mut ledger, now) = open(0);
    assert_eq!(ledger.step(Input::Import(vec![], 7), now), [Effect::Imported(7)]);
}

#[test]
fn a_stale_retry_does_nothing() {
    let (mut ledger, now) = open(0);
    ledger.step(draft(1), now);
    assert_eq!(ledger.step(Input::Retry, now), []);
    assert_eq!(ledger.step(Input::Written, now).len(), 2);
    assert_eq!(ledger.step(Input::Written, now), []);
}

#[derive(Debug, Clone)]
enum Happens {
    Record,
    Import,
    Ok,
    Fails,
    Retry,
}

proptest! {
    #[test]
    fn every_event_is_published_once_in_order_and_without_a_gap(
        story in prop::collection::vec(prop_oneof![
            Just(Happens::Record), Just(Happens::Import), Just(Happens::Ok), Just(Happens::Fails), Just(Happens::Retry),
        ], 0..80),
    ) {
        let (mut ledger, now) = open(10);
        let (mut sent, mut flying, mut published, mut imported) = (0, false, Vec::new(), Some(0));
        let end = std::iter::repeat_n([Happens::Retry, Happens::Ok], 3).flatten();
        for happens in story.into_iter().chain(end) {
            let effects = match happens {
                Happens::Record => { sent += 1; ledger.step(draft(sent), now) }
                Happens::Import if imported.is_some() => {
                    imported = None;
                    sent += 1;
                    let line = (Timestamp::UNIX_EPOCH, Draft::new("x").with("n", sent));
                    ledger.step(Input::Import(vec![line], sent as u64), now)
                }
                Happens::Ok if flying => { flying = false; ledger.step(Input::Written, now) }
                Happens::Fails if flying => { flying = false; ledger.step(Input::Failed("full".into()), now) }
                Happens::Retry if !flying => ledger.step(Input::Retry, now),
                _ => continue,
            };
            for effect in effects {
                match effect {
                    Effect::Append(_) => { prop_assert!(!flying, "one write at a time"); flying = true; }
                    Effect::Publish(events) => published.extend(events),
                    Effect::Imported(up_to) => imported = Some(up_to),
                    _ => {}
                }
            }
        }
        prop_assert!(imported.is_some() && ledger.is_settled());
        prop_assert_eq!(published.len(), sent);
        for (at, event) in published.iter().enumerate() {
            prop_assert_eq!(event.seq, 11 + at as u64);
            prop_assert_eq!(event.get("n").unwrap(), (at + 1).to_string());
        }
    }
}
