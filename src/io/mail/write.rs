//! Changes to the store, all of a batch in one transaction.

use super::rows;
use crate::io::fault::{FaultPoint, reached};
use coalmine_actors::mail::{
    MailError, MessageId, Progress, Record, Step,
    store::{Change, Changed},
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

/// Carries out a batch; on an error none of it.
pub(super) fn apply(connection: &mut Connection, changes: &[Change]) -> rusqlite::Result<Vec<Changed>> {
    // At once for writing: one that began by reading could be refused in its middle.
    let batch = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let answers = changes.iter().map(|change| one(&batch, change)).collect::<rusqlite::Result<Vec<_>>>()?;
    batch.commit()?;
    changes.iter().for_each(tell_reached);
    Ok(answers)
}

fn tell_reached(change: &Change) {
    match change {
        Change::Insert(_) | Change::Admit(..) => reached(FaultPoint::MailKept),
        Change::Step { step: Step::Type { .. }, .. } => reached(FaultPoint::MailTyped),
        Change::Step { .. } => reached(FaultPoint::MailOver),
        Change::Forget(_) => {}
    }
}

fn one(batch: &Transaction<'_>, change: &Change) -> rusqlite::Result<Changed> {
    match change {
        Change::Insert(record) => insert(batch, record),
        Change::Admit(record, at) => step(batch, record.message.id, &Step::Admit, *at),
        Change::Step { id, step: what, at } => step(batch, *id, what, *at),
        Change::Forget(ids) => {
            let mut delete = batch.prepare_cached("DELETE FROM messages WHERE id = ?")?;
            for id in ids {
                delete.execute([id.to_string()])?;
            }
            Ok(Changed::Done)
        }
    }
}

fn insert(batch: &Transaction<'_>, Record { message, progress }: &Record) -> rusqlite::Result<Changed> {
    if let Some(key) = &message.idempotency_key {
        let question = format!("SELECT {} FROM messages WHERE sender = ? AND idempotency_key = ?", rows::RECORD);
        let first = batch.prepare_cached(&question)?.query_row([&message.from, key], rows::record).optional()?;
        if let Some(first) = first {
            return Ok(Changed::Known(Box::new(first)));
        }
    }
    let ms = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    batch
        .prepare_cached(
            "INSERT INTO messages(
                id, sender, sender_kind, recipient, body, topic, attachments, idempotency_key, sent_ms, expires_ms,
                state, redelivered, woke, queued_ms, since_ms)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, 0, 0, 0)",
        )?
        .execute(params![
            message.id.to_string(),
            message.from,
            json(&message.from_kind),
            message.to.to_string(),
            message.body,
            message.topic,
            json(&message.attachments),
            message.idempotency_key,
            message.sent_at.as_millisecond(),
            ms(message.expires_at),
        ])?;
    stands(batch, message.id, progress)?;
    Ok(Changed::Inserted)
}

fn step(batch: &Transaction<'_>, id: MessageId, step: &Step, at: Timestamp) -> rusqlite::Result<Changed> {
    let question = format!("SELECT {} FROM messages WHERE id = ?", rows::PROGRESS);
    let found = batch.prepare_cached(&question)?.query_row([id.to_string()], rows::progress).optional()?;
    let Some(progress) = found else { return Ok(Changed::Refused(MailError::NotFound(id))) };
    match progress.step(id, step.clone(), at) {
        Ok(next) => {
            stands(batch, id, &next)?;
            Ok(Changed::Stands(next))
        }
        Err(refused) => Ok(Changed::Refused(refused)),
    }
}

fn stands(batch: &Transaction<'_>, id: MessageId, progress: &Progress) -> rusqlite::Result<()> {
    let ms = |time: Option<Timestamp>| time.map(Timestamp::as_millisecond);
    let reason = progress.reason.as_ref();
    batch
        .prepare_cached(
            "UPDATE messages SET state = ?, reason_code = ?, reason_text = ?, generation = ?, redelivered = ?, woke = ?,
                queued_ms = ?, typed_ms = ?, submitted_ms = ?, seen_ms = ?, ended_ms = ?, since_ms = ?
             WHERE id = ?",
        )?
        .execute(params![
            progress.state.as_str(),
            reason.map(|reason| &reason.code),
            reason.map(|reason| &reason.text),
            // SQLite counts with a sign; lives are far below.
            progress.generation.map(|generation| i64::try_from(generation.0).unwrap_or(i64::MAX)),
            progress.redelivered,
            progress.woke,
            progress.queued_at.as_millisecond(),
            ms(progress.typed_at),
            ms(progress.submitted_at),
            ms(progress.seen_at),
            ms(progress.ended_at),
            progress.since().as_millisecond(),
            id.to_string(),
        ])
        .map(drop)
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("it has only text keys")
}
