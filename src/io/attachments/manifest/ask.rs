//! Questions to the manifest. Each is one statement, so that it sees one moment.

use super::rows::{self, BLOB};
use coalmine_actors::attachments::{
    AttachmentId, Intent, Meta, Session,
    book::BlobRow,
    change::BlobState,
    manifest::{Orphans, Totals},
    store::{PAGE_MAX, Page},
};
use rusqlite::{Connection, OptionalExtension, params};

/// Room for a list before it is known how long it is.
const ITEMS_AT_FIRST: usize = 128;
/// Unreadable rows that are named; one is enough to stop.
const UNREADABLE_MAX: i64 = 100;

pub(super) fn holds(connection: &Connection, session: &Session, id: AttachmentId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM refs WHERE session = ? AND blob = ? LIMIT 1")?
        .exists(params![session.as_str(), id.digest()])
}

pub(super) fn owes(connection: &Connection, id: AttachmentId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM refs WHERE blob = ? AND committed_at IS NOT NULL LIMIT 1")?
        .exists([id.digest()])
}

pub(super) fn row(connection: &Connection, id: AttachmentId) -> rusqlite::Result<Option<BlobRow>> {
    connection
        .prepare_cached(&format!("SELECT {BLOB} FROM blobs WHERE id = ?"))?
        .query_row([id.digest()], rows::blob)
        .optional()
}

pub(super) fn knows_length(connection: &Connection, byte_len: u64) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM blobs WHERE byte_len = ? LIMIT 1")?.exists([rows::signed(byte_len)])
}

pub(super) fn held_by(connection: &Connection, session: &Session) -> rusqlite::Result<u64> {
    let sum = "SELECT ifnull(sum(byte_len), 0) FROM blobs WHERE id IN (SELECT blob FROM refs WHERE session = ?)";
    connection.prepare_cached(sum)?.query_row([session.as_str()], |row| rows::unsigned(row, 0))
}

pub(super) fn total(connection: &Connection) -> rusqlite::Result<u64> {
    connection.prepare_cached("SELECT bytes FROM totals")?.query_row([], |row| rows::unsigned(row, 0))
}

pub(super) fn totals(connection: &Connection) -> rusqlite::Result<Totals> {
    // "Unfinished" is what has an index, so that what is lost is found without a look at all that is not.
    let text = "SELECT (SELECT count(*) FROM blobs), (SELECT bytes FROM totals),
         (SELECT count(*) FROM blobs WHERE state <> 'live' AND state = 'staged'
          AND EXISTS (SELECT 1 FROM refs WHERE blob = blobs.id AND committed_at IS NOT NULL))";
    connection.prepare_cached(text)?.query_row([], |row| {
        Ok(Totals { count: rows::unsigned(row, 0)?, bytes: rows::unsigned(row, 1)?, lost: rows::unsigned(row, 2)? })
    })
}

/// Nothing is before every id.
fn behind(after: Option<AttachmentId>) -> Vec<u8> {
    after.map_or_else(Vec::new, |id| id.digest().to_vec())
}

/// A record that can not be read costs itself alone: it is left out here, and [`unreadable`] names it.
pub(super) fn list(
    connection: &Connection,
    session: Option<&Session>,
    after: Option<AttachmentId>,
    limit: usize,
) -> rusqlite::Result<Page> {
    let limit = limit.clamp(1, PAGE_MAX);
    let of = if session.is_some() {
        "AND EXISTS (SELECT 1 FROM refs WHERE session = ?2 AND blob = blobs.id)"
    } else {
        "AND ?2 IS NULL"
    };
    let owed = "EXISTS (SELECT 1 FROM refs WHERE blob = blobs.id AND committed_at IS NOT NULL)";
    let text = format!("SELECT {BLOB} FROM blobs WHERE id > ?1 AND (state = 'live' OR {owed}) {of} ORDER BY id");
    let mut rows = connection.prepare_cached(&text)?;
    let mut found = rows.query(params![behind(after), session.map(Session::as_str)])?;
    let (mut items, mut more, mut left_out) = (Vec::with_capacity(limit.min(ITEMS_AT_FIRST)), false, None);
    while let Some(row) = found.next()? {
        if items.len() == limit {
            more = true;
            break;
        }
        match rows::blob(row) {
            Ok(row) => items.push(row.meta),
            Err(error) => left_out = Some(error),
        }
    }
    if let Some(error) = left_out {
        tracing::warn!(%error, "attachments whose records can not be read are left out of a list; `gc` names them");
    }
    Ok(Page { next: items.last().map(|meta: &Meta| meta.id).filter(|_| more), items })
}

pub(super) fn uncommitted(
    connection: &Connection,
    before_ms: i64,
    skip: usize,
    limit: usize,
) -> rusqlite::Result<Vec<Intent>> {
    let mut rows = connection.prepare_cached(
        "SELECT session, blob, owner, intent_at FROM refs WHERE committed_at IS NULL AND intent_at < ?
         ORDER BY intent_at, session, blob, owner LIMIT ? OFFSET ?",
    )?;
    let asked = params![before_ms, rows::signed(limit as u64), rows::signed(skip as u64)];
    rows.query_map(asked, rows::intent)?.collect()
}

/// Looks at a window of blobs and not at all of them: nobody waits long for their turn.
pub(super) fn orphans(connection: &Connection, after: Option<AttachmentId>, limit: usize) -> rusqlite::Result<Orphans> {
    let mut rows = connection.prepare_cached(
        "SELECT id, byte_len, NOT EXISTS (SELECT 1 FROM refs WHERE blob = id) FROM
         (SELECT id, byte_len FROM blobs WHERE id > ? ORDER BY id LIMIT ?)",
    )?;
    let mut orphans = Orphans::default();
    let (mut seen, mut last) = (0, None);
    let mut window = rows.query(params![behind(after), rows::signed(limit as u64)])?;
    while let Some(row) = window.next()? {
        let id = rows::id(row, 0)?;
        (seen, last) = (seen + 1, Some(id));
        if row.get(2)? {
            orphans.found.push((id, rows::unsigned(row, 1)?));
        }
    }
    orphans.next = last.filter(|_| seen == limit);
    Ok(orphans)
}

pub(super) fn unfinished(
    connection: &Connection,
    after: Option<AttachmentId>,
    limit: usize,
) -> rusqlite::Result<Vec<(AttachmentId, BlobState)>> {
    let mut rows = connection
        .prepare_cached("SELECT id, state FROM blobs WHERE state <> 'live' AND id > ? ORDER BY id LIMIT ?")?;
    let asked = params![behind(after), rows::signed(limit as u64)];
    rows.query_map(asked, |row| Ok((rows::id(row, 0)?, rows::state(row, 1)?)))?.collect()
}

/// Rows whose columns are not what they must be, by SQLite's own look at them: nothing is parsed here.
pub(super) fn unreadable(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut bad = connection.prepare_cached(
        "SELECT 'blob ' || hex(id) FROM blobs
         WHERE typeof(id) <> 'blob' OR length(id) <> 32 OR state NOT IN ('staged', 'live', 'condemned')
            OR typeof(byte_len) <> 'integer' OR byte_len < 0 OR typeof(created_ms) <> 'integer'
            OR typeof(media_type) <> 'text' OR typeof(label) NOT IN ('text', 'null')
            OR typeof(width) NOT IN ('integer', 'null') OR width NOT BETWEEN 0 AND 4294967295
            OR typeof(height) NOT IN ('integer', 'null') OR height NOT BETWEEN 0 AND 4294967295
         UNION ALL
         SELECT 'reference of ' || session || ' to ' || hex(blob) FROM refs
         WHERE typeof(blob) <> 'blob' OR length(blob) <> 32 OR typeof(intent_at) <> 'integer'
            OR typeof(committed_at) NOT IN ('integer', 'null') OR session = '' OR owner = ''
         LIMIT ?",
    )?;
    bad.query_map([UNREADABLE_MAX], |row| row.get(0))?.collect()
}
