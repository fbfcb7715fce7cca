//! The desk played against a store in memory.

use super::*;
use crate::{
    mail::{
        id::MessageId,
        letter::Message,
        progress::{Reason, Step},
    },
    names::Generation,
    registry::document::Intelligence,
};

type Play = Desk<&'static str>;

fn record(number: u128, to: &str) -> Record {
    let message = Message {
        id: MessageId::at(i64::try_from(number).unwrap(), number),
        from: "operator".into(),
        from_kind: Intelligence::Natural,
        to: to.parse().unwrap(),
        body: "x".into(),
        topic: None,
        attachments: Vec::new(),
        idempotency_key: None,
        sent_at: Timestamp::UNIX_EPOCH,
        expires_at: None,
    };
    Record { message, progress: Progress::begin(State::Queued, Timestamp::UNIX_EPOCH) }
}

fn insert(record: &Record) -> Change {
    Change::Insert(Box::new(record.clone()))
}

fn step(record: &Record, step: Step) -> Change {
    Change::Step { id: record.message.id, step, at: Timestamp::UNIX_EPOCH }
}

fn typed() -> Step {
    Step::Type { generation: Generation(1), woke: false }
}

/// What was done, in short words.
fn said(effects: &[Effect<&'static str>]) -> Vec<String> {
    // The last digit of the time that it is made of.
    let number = |id: &MessageId| id.to_string()[9..10].to_owned();
    let words = effects.iter().filter(|effect| !matches!(effect, Effect::Waits(..))).map(|effect| match effect {
        Effect::Apply(changes) => format!("apply {}", changes.len()),
        Effect::Answer(who, Ok(_)) => format!("{who} ok"),
        Effect::Answer(who, Err(error)) => format!("{who} {}", error.code()),
        Effect::Stands(id, progress) => format!("{} is {}", number(id), progress.state),
        Effect::Over(record) => format!("{} over", number(&record.message.id)),
        Effect::Send(record) => format!("send {}", number(&record.message.id)),
        Effect::Recall(_) => "recall".into(),
        Effect::ExpireAt(..) => "expires".into(),
        Effect::Waits(..) => unreachable!("left out"),
    });
    words.collect()
}

/// A desk that has read its store.
fn open() -> Play {
    let mut desk = Play::default();
    assert_eq!(said(&desk.step(Input::Loaded(Vec::new()))), [""; 0]);
    desk
}

fn stands(record: &Record, step: Step) -> Changed {
    Changed::Stands(record.progress.step(record.message.id, step, Timestamp::UNIX_EPOCH).unwrap())
}

#[test]
fn one_message_of_each_recipient_is_out_and_the_next_follows_it() {
    let mut desk = open();
    let (one, two, other) = (record(1, "claude-bob"), record(2, "claude-bob"), record(3, "claude-ann"));
    assert_eq!(said(&desk.step(Input::Ask(insert(&one), "a"))), ["apply 1"]);
    // What comes while a transaction is in the air is the next one.
    assert_eq!(said(&desk.step(Input::Ask(insert(&two), "b"))), [""; 0]);
    desk.step(Input::Ask(insert(&other), "c"));
    assert_eq!(said(&desk.step(Input::Applied(Ok(vec![Changed::Inserted])))), ["a ok", "send 1", "apply 2"]);
    assert_eq!(said(&desk.step(Input::Applied(Ok(vec![Changed::Inserted; 2])))), ["b ok", "c ok", "send 3"]);
    desk.step(Input::Ask(step(&one, typed()), "courier"));
    assert_eq!(said(&desk.step(Input::Applied(Ok(vec![stands(&one, typed())])))), ["1 is typed", "courier ok"]);
    desk.step(Input::Ask(step(&one, Step::Submit), "courier"));
    let submitted = match stands(&one, typed()) {
        Changed::Stands(progress) => stands(&Record { progress, ..one.clone() }, Step::Submit),
        _ => unreachable!(),
    };
    let after = desk.step(Input::Applied(Ok(vec![submitted])));
    assert_eq!(said(&after), ["1 is submitted", "1 over", "recall", "send 2", "courier ok"]);
    assert_eq!(desk.waiting_for(&one.message.to), 1);
}

/// How much waits for whom, as it was told last.
fn waiting(effects: &[Effect<&'static str>]) -> Option<u64> {
    let mut told = effects.iter().filter_map(|effect| match effect {
        Effect::Waits(_, waits) => Some(waits.map_or(0, |waits| waits.count)),
        _ => None,
    });
    told.next_back()
}

#[test]
fn how_much_waits_is_told_with_every_change_of_it() {
    let mut desk = Play::default();
    let (left, new) = (record(1, "claude-bob"), record(2, "claude-bob"));
    assert_eq!(waiting(&desk.step(Input::Loaded(vec![left.clone()]))), Some(1));
    assert_eq!(waiting(&desk.step(Input::Ask(insert(&new), "a"))), None, "it is not accepted yet");
    assert_eq!(waiting(&desk.step(Input::Applied(Ok(vec![Changed::Inserted])))), Some(2));
    for (record, rest) in [(&new, 1), (&left, 0)] {
        desk.step(Input::Ask(step(record, Step::Cancel), "b"));
        assert_eq!(waiting(&desk.step(Input::Applied(Ok(vec![stands(record, Step::Cancel)])))), Some(rest));
    }
}

#[test]
fn what_is_cancelled_behind_the_first_disturbs_nobody() {
    let mut desk = open();
    let (one, two) = (record(1, "claude-bob"), record(2, "claude-bob"));
    desk.step(Input::Ask(insert(&one), "a"));
    desk.step(Input::Applied(Ok(vec![Changed::Inserted])));
    desk.step(Input::Ask(insert(&two), "b"));
    desk.step(Input::Applied(Ok(vec![Changed::Inserted])));
    desk.step(Input::Ask(step(&two, Step::Cancel), "c"));
    let after = desk.step(Input::Applied(Ok(vec![stands(&two, Step::Cancel)])));
    assert_eq!(said(&after), ["2 is failed", "2 over", "c ok"]);
    desk.step(Input::Ask(step(&one, Step::Cancel), "c"));
    let after = desk.step(Input::Applied(Ok(vec![stands(&one, Step::Cancel)])));
    assert_eq!(said(&after), ["1 is failed", "1 over", "recall", "c ok"]);
}

#[test]
fn nobody_is_told_that_something_is_kept_which_is_not() {
    let mut desk = open();
    let one = record(1, "claude-bob");
    desk.step(Input::Ask(insert(&one), "a"));
    let full = FleetError::Unavailable { store: "x", why: "full".into() };
    assert_eq!(said(&desk.step(Input::Applied(Err(full)))), ["a unavailable"]);
    assert_eq!(desk.waiting_for(&one.message.to), 0);
    desk.step(Input::Ask(step(&one, Step::Submit), "b"));
    let refused = Changed::Refused(MailError::NotFound(one.message.id));
    assert_eq!(said(&desk.step(Input::Applied(Ok(vec![refused])))), ["b no-message"]);
}

#[test]
fn nothing_is_written_before_what_was_left_is_known() {
    let mut desk = Play::default();
    let (left, new) = (record(1, "claude-bob"), record(2, "claude-bob"));
    assert_eq!(said(&desk.step(Input::Ask(insert(&new), "a"))), [""; 0]);
    let down = FleetError::Unavailable { store: "x", why: "down".into() };
    assert_eq!(said(&desk.step(Input::NotLoaded(down))), ["a unavailable"]);
    desk.step(Input::Ask(insert(&new), "b"));
    assert_eq!(said(&desk.step(Input::Loaded(vec![left]))), ["send 1", "apply 1"]);
    assert_eq!(said(&desk.step(Input::Applied(Ok(vec![Changed::Inserted])))), ["b ok"], "behind the one that was left");
}

#[test]
fn a_courier_that_failed_is_followed_by_another_while_its_message_is_the_first() {
    let mut desk = open();
    let one = record(1, "claude-bob");
    desk.step(Input::Ask(insert(&one), "a"));
    desk.step(Input::Applied(Ok(vec![Changed::Inserted])));
    let lost = || Input::Lost(one.message.to.clone(), one.message.id);
    assert_eq!(said(&desk.step(lost())), ["send 1"]);
    desk.step(Input::Ask(step(&one, Step::Refuse(Reason::new("stopped", "x"))), "b"));
    let refused = stands(&one, Step::Refuse(Reason::new("stopped", "x")));
    desk.step(Input::Applied(Ok(vec![refused])));
    assert_eq!(said(&desk.step(lost())), [""; 0]);
}

#[test]
fn what_turns_out_to_be_over_holds_nobody_up() {
    let mut desk = open();
    let (one, two) = (record(1, "claude-bob"), record(2, "claude-bob"));
    for record in [&one, &two] {
        desk.step(Input::Ask(insert(record), "a"));
        desk.step(Input::Applied(Ok(vec![Changed::Inserted])));
    }
    desk.step(Input::Ask(step(&one, Step::Submit), "courier"));
    let error = MailError::WrongState { id: one.message.id, state: State::Submitted, what: "submitted" };
    let after = desk.step(Input::Applied(Ok(vec![Changed::Refused(error)])));
    assert_eq!(said(&after), ["recall", "send 2", "courier wrong-state"]);
    // One that is only elsewhere on its way stays.
    desk.step(Input::Ask(step(&two, Step::See), "b"));
    let error = MailError::WrongState { id: two.message.id, state: State::Queued, what: "seen" };
    assert_eq!(said(&desk.step(Input::Applied(Ok(vec![Changed::Refused(error)])))), ["b wrong-state"]);
    assert_eq!(desk.waiting_for(&two.message.to), 1);
}

#[test]
fn a_queue_has_an_end() {
    let mut desk = open();
    for number in 0..QUEUE_MESSAGES_MAX {
        desk.step(Input::Ask(insert(&record(number as u128, "claude-bob")), "a"));
        desk.step(Input::Applied(Ok(vec![Changed::Inserted])));
    }
    assert_eq!(said(&desk.step(Input::Ask(insert(&record(7, "claude-bob")), "b"))), ["b queue-full"]);
    assert_eq!(said(&desk.step(Input::Ask(insert(&record(8, "claude-ann")), "c"))), ["apply 1"]);
}
