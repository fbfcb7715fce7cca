//! The tables, and what is read out of their rows.
//!
//! Ids are 32 bytes; times are milliseconds since the epoch, checked when they are read.

use crate::io::sqlite;
use coalmine_actors::attachments::{
    AttachmentId, Intent, MediaType, Meta, Owner, Session, book::BlobRow, change::BlobState, claim::Claim,
};
use rusqlite::{Connection, Row, types::Type};
use std::{error::Error, str::FromStr};

/// The shape of the tables.
const VERSION: i64 = 1;

const SHAPE: &str = "
    CREATE TABLE blobs(
        id BLOB NOT NULL PRIMARY KEY, state TEXT NOT NULL, byte_len INTEGER NOT NULL, media_type TEXT NOT NULL,
        width INTEGER, height INTEGER, label TEXT, created_ms INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE refs(
        session TEXT NOT NULL, blob BLOB NOT NULL, owner TEXT NOT NULL, intent_at INTEGER NOT NULL,
        committed_at INTEGER, PRIMARY KEY(session, blob, owner)) WITHOUT ROWID;
    CREATE INDEX refs_by_blob ON refs(blob);
    CREATE INDEX refs_uncommitted ON refs(intent_at, session, blob, owner) WHERE committed_at IS NULL;
    CREATE INDEX blobs_unfinished ON blobs(id) WHERE state <> 'live';
    CREATE INDEX blobs_by_length ON blobs(byte_len);
    CREATE TABLE totals(bytes INTEGER NOT NULL);
    INSERT INTO totals VALUES (0);
    CREATE TRIGGER blob_came AFTER INSERT ON blobs BEGIN UPDATE totals SET bytes = bytes + new.byte_len; END;
    CREATE TRIGGER blob_went AFTER DELETE ON blobs BEGIN UPDATE totals SET bytes = bytes - old.byte_len; END;
    PRAGMA user_version = 1;";

/// Makes the tables where there are none.
pub(super) fn make(connection: &Connection) -> rusqlite::Result<()> {
    sqlite::shaped(connection, "manifest", VERSION, SHAPE)
}

/// A column that does not hold what it must.
fn unreadable(column: usize, kind: Type, why: impl Into<Box<dyn Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, why.into())
}

pub(super) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<AttachmentId> {
    let digest: [u8; 32] = row.get(column)?;
    Ok(AttachmentId::from_digest(digest))
}

fn text<T: FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T>
where
    T::Err: Error + Send + Sync + 'static,
{
    row.get_ref(column)?.as_str()?.parse().map_err(|error: T::Err| unreadable(column, Type::Text, error))
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|error| unreadable(column, Type::Integer, error))
}

pub(super) fn state(row: &Row<'_>, column: usize) -> rusqlite::Result<BlobState> {
    let name = row.get_ref(column)?.as_str()?;
    BlobState::of(name).ok_or_else(|| unreadable(column, Type::Text, format!("{name:?} is no state")))
}

/// The columns of a [`BlobRow`], in order.
pub(super) const BLOB: &str = "id, state, byte_len, media_type, width, height, label, created_ms";

pub(super) fn blob(row: &Row<'_>) -> rusqlite::Result<BlobRow> {
    let created_at = jiff::Timestamp::from_millisecond(row.get(7)?).map_err(|why| unreadable(7, Type::Integer, why))?;
    let meta = Meta {
        id: id(row, 0)?,
        byte_len: unsigned(row, 2)?,
        media_type: text::<MediaType>(row, 3)?,
        width: row.get(4)?,
        height: row.get(5)?,
        label: row.get(6)?,
        created_at,
    };
    Ok(BlobRow { state: state(row, 1)?, meta })
}

/// An [`Intent`] of `session, blob, owner, intent_at`.
pub(super) fn intent(row: &Row<'_>) -> rusqlite::Result<Intent> {
    let claim = Claim { session: text::<Session>(row, 0)?, id: id(row, 1)?, owner: text::<Owner>(row, 2)? };
    let at_ms: i64 = row.get(3)?;
    jiff::Timestamp::from_millisecond(at_ms).map_err(|why| unreadable(3, Type::Integer, why))?;
    Ok(Intent::of(&claim, at_ms))
}

/// SQLite counts with a sign; lengths are far below.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
