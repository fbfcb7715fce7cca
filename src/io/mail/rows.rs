//! The table, and what is read out of its rows. Times are milliseconds since the epoch, checked when they are read.

use super::STORE;
use crate::io::sqlite;
use coalmine_actors::{
    attachments::Session,
    mail::{Message, MessageId, Progress, Reason, Record, State},
    names::Generation,
};
use jiff::Timestamp;
use rusqlite::{Connection, Row, types::Type};
use serde::de::DeserializeOwned;
use std::{error::Error, str::FromStr};

/// The shape of the table. `place` is the order in which messages came in.
const VERSION: i64 = 1;

const SHAPE: &str = "
    CREATE TABLE messages(
        place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, sender TEXT NOT NULL, sender_kind TEXT NOT NULL,
        recipient TEXT NOT NULL, body TEXT NOT NULL, topic TEXT, attachments TEXT NOT NULL, idempotency_key TEXT,
        sent_ms INTEGER NOT NULL, expires_ms INTEGER, state TEXT NOT NULL, reason_code TEXT, reason_text TEXT,
        generation INTEGER, redelivered INTEGER NOT NULL, woke INTEGER NOT NULL, queued_ms INTEGER NOT NULL,
        typed_ms INTEGER, submitted_ms INTEGER, seen_ms INTEGER, ended_ms INTEGER, since_ms INTEGER NOT NULL);
    CREATE UNIQUE INDEX messages_by_key ON messages(sender, idempotency_key) WHERE idempotency_key IS NOT NULL;
    CREATE INDEX messages_by_recipient ON messages(recipient, id);
    CREATE INDEX messages_open ON messages(place) WHERE state IN ('accepting', 'queued', 'typed');
    CREATE INDEX messages_over ON messages(since_ms) WHERE NOT (state IN ('accepting', 'queued', 'typed'));
    PRAGMA user_version = 1;";

/// Those that somebody still has to do something about.
pub(super) const OPEN: &str = "state IN ('accepting', 'queued', 'typed')";

/// Makes the table where there is none.
pub(super) fn make(connection: &Connection) -> rusqlite::Result<()> {
    sqlite::shaped(connection, STORE, VERSION, SHAPE)
}

/// The columns of a [`Progress`], in order.
pub(super) const PROGRESS: &str = "state, reason_code, reason_text, generation, redelivered, woke, queued_ms, typed_ms, \
                                   submitted_ms, seen_ms, ended_ms";
/// The columns of a [`Record`], in order.
pub(super) const RECORD: &str = "state, reason_code, reason_text, generation, redelivered, woke, queued_ms, typed_ms, \
                                 submitted_ms, seen_ms, ended_ms, id, sender, sender_kind, recipient, body, topic, \
                                 attachments, idempotency_key, sent_ms, expires_ms";

pub(super) fn progress(row: &Row<'_>) -> rusqlite::Result<Progress> {
    let word = row.get_ref(0)?.as_str()?;
    let state = State::of(word).ok_or_else(|| unreadable(0, Type::Text, format!("{word:?} is no state")))?;
    let reason = match (row.get::<_, Option<String>>(1)?, row.get::<_, Option<String>>(2)?) {
        (Some(code), text) => Some(Reason { code, text: text.unwrap_or_default() }),
        (None, _) => None,
    };
    Ok(Progress {
        state,
        reason,
        generation: row.get::<_, Option<i64>>(3)?.map(|number| unsigned(3, number).map(Generation)).transpose()?,
        redelivered: row.get(4)?,
        woke: row.get(5)?,
        queued_at: time(row, 6)?,
        typed_at: time_if(row, 7)?,
        submitted_at: time_if(row, 8)?,
        seen_at: time_if(row, 9)?,
        ended_at: time_if(row, 10)?,
    })
}

pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let message = Message {
        id: text(row, 11)?,
        from: row.get(12)?,
        from_kind: json(row, 13)?,
        to: text(row, 14)?,
        body: row.get(15)?,
        topic: row.get(16)?,
        attachments: json(row, 17)?,
        idempotency_key: row.get(18)?,
        sent_at: time(row, 19)?,
        expires_at: time_if(row, 20)?,
    };
    Ok(Record { message, progress: progress(row)? })
}

/// An id, and the session that holds its attachments.
pub(super) fn stale(row: &Row<'_>) -> rusqlite::Result<(MessageId, Option<Session>)> {
    let session = if row.get_ref(1)? == rusqlite::types::ValueRef::Null { None } else { Some(text(row, 1)?) };
    Ok((text(row, 0)?, session))
}

/// A column that does not hold what it must.
fn unreadable(column: usize, kind: Type, why: impl Into<Box<dyn Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, why.into())
}

fn text<T: FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T::Err: Error + Send + Sync + 'static,
{
    row.get_ref(column)?.as_str()?.parse().map_err(|error: T::Err| unreadable(column, Type::Text, error))
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|error| unreadable(column, Type::Text, error))
}

fn unsigned(column: usize, number: i64) -> rusqlite::Result<u64> {
    u64::try_from(number).map_err(|error| unreadable(column, Type::Integer, error))
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_millisecond(row.get(column)?).map_err(|error| unreadable(column, Type::Integer, error))
}

fn time_if(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    if row.get_ref(column)? == rusqlite::types::ValueRef::Null { Ok(None) } else { time(row, column).map(Some) }
}
