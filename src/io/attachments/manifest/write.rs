//! Changes to the manifest, all of a batch in one transaction. The rules are those of `Book`.

use super::{ask, refused, rows};
use crate::io::fault::{FaultPoint, reached};
use coalmine_actors::attachments::{
    AttachmentError, AttachmentId, Intent, Meta, Owner, Session,
    change::{BlobState, Change, Changed, Quotas, Scope},
    claim::Claim,
};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::BTreeSet;

/// Carries out a batch; on an error none of it.
pub(super) fn apply(connection: &mut Connection, changes: &[Change]) -> rusqlite::Result<Vec<Changed>> {
    // At once for writing: one that began by reading could be refused in its middle.
    let batch = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let answers = changes.iter().map(|change| one(&batch, change)).collect::<rusqlite::Result<Vec<_>>>()?;
    batch.commit()?;
    tell_reached(changes);
    Ok(answers)
}

fn tell_reached(changes: &[Change]) {
    for change in changes {
        match change {
            Change::Intend { .. } => reached(FaultPoint::AttachmentIntended),
            Change::Commit { .. } => reached(FaultPoint::AttachmentCommitted),
            Change::Lend { .. } => reached(FaultPoint::MailLent),
            Change::Release(_) => reached(FaultPoint::AttachmentReleased),
            Change::Condemn(_) => reached(FaultPoint::AttachmentCondemned),
            Change::Gone(ids) if !ids.is_empty() => reached(FaultPoint::AttachmentForgotten),
            _ => {}
        }
    }
}

fn one(batch: &Transaction<'_>, change: &Change) -> rusqlite::Result<Changed> {
    match change {
        Change::Intend { claim, meta, at_ms, quotas } => intend(batch, claim, meta, *at_ms, *quotas),
        Change::Landed(id) => turn(batch, *id, BlobState::Staged, BlobState::Live),
        Change::Lost(id) => turn(batch, *id, BlobState::Live, BlobState::Staged),
        Change::Abandon(Claim { session, id, owner }) => {
            batch
                .prepare_cached(
                    "DELETE FROM refs WHERE session = ? AND blob = ? AND owner = ? AND committed_at IS NULL",
                )?
                .execute(params![session.as_str(), id.digest(), owner.as_str()])?;
            Ok(Changed::Done)
        }
        Change::Commit { session, owner, ids, at_ms } => commit(batch, session, session, owner, ids, *at_ms),
        Change::Lend { from, to, owner, ids, at_ms, quotas } => match too_much_lent(batch, to, ids, *quotas)? {
            Some(error) => Ok(refused(error)),
            None => commit(batch, from, to, owner, ids, *at_ms),
        },
        Change::Release(scope) => release(batch, scope),
        Change::Adopt { parent, child } => adopt(batch, parent, child),
        Change::DropStale(intents) => drop_stale(batch, intents),
        Change::Condemn(ids) => condemn(batch, ids),
        Change::Gone(ids) => {
            let mut delete = batch.prepare_cached("DELETE FROM blobs WHERE id = ? AND state = 'condemned'")?;
            for id in ids {
                delete.execute([id.digest()])?;
            }
            Ok(Changed::Done)
        }
    }
}

fn intend(
    batch: &Transaction<'_>,
    claim: &Claim,
    meta: &Meta,
    at_ms: i64,
    quotas: Quotas,
) -> rusqlite::Result<Changed> {
    let state = batch
        .prepare_cached("SELECT state FROM blobs WHERE id = ?")?
        .query_row([claim.id.digest()], |row| rows::state(row, 0))
        .optional()?;
    if let Some(error) = over_quota(batch, claim, meta.byte_len, state.is_some(), quotas)? {
        return Ok(refused(error));
    }
    match state {
        None => {
            batch.prepare_cached("INSERT INTO blobs VALUES (?, 'staged', ?, ?, ?, ?, ?, ?)")?.execute(params![
                meta.id.digest(),
                rows::signed(meta.byte_len),
                meta.media_type.mime(),
                meta.width,
                meta.height,
                meta.label,
                meta.created_at.as_millisecond(),
            ])?;
        }
        Some(BlobState::Condemned) => {
            turn(batch, claim.id, BlobState::Condemned, BlobState::Staged)?;
        }
        Some(BlobState::Staged | BlobState::Live) => {}
    }
    let new = batch.prepare_cached("INSERT OR IGNORE INTO refs VALUES (?, ?, ?, ?, NULL)")?.execute(params![
        claim.session.as_str(),
        claim.id.digest(),
        claim.owner.as_str(),
        at_ms
    ])?;
    Ok(Changed::Intended { have: state == Some(BlobState::Live), new: new > 0 })
}

fn over_quota(
    batch: &Transaction<'_>,
    claim: &Claim,
    byte_len: u64,
    known: bool,
    quotas: Quotas,
) -> rusqlite::Result<Option<AttachmentError>> {
    if let Some(limit) = quotas.session_bytes_max
        && !ask::holds(batch, &claim.session, claim.id)?
    {
        let wanted = ask::held_by(batch, &claim.session)? + byte_len;
        if wanted > limit {
            let whose = format!("the session {}", claim.session);
            return Ok(Some(AttachmentError::OverQuota { whose, limit, wanted }));
        }
    }
    if let Some(limit) = quotas.total_bytes_max.filter(|_| !known) {
        let wanted = ask::total(batch)? + byte_len;
        if wanted > limit {
            return Ok(Some(AttachmentError::OverQuota { whose: "the store".into(), limit, wanted }));
        }
    }
    Ok(None)
}

/// What another session gives counts as what this one puts.
fn too_much_lent(
    batch: &Transaction<'_>,
    to: &Session,
    ids: &[AttachmentId],
    quotas: Quotas,
) -> rusqlite::Result<Option<AttachmentError>> {
    let Some(limit) = quotas.session_bytes_max else { return Ok(None) };
    let mut lent = 0;
    for id in ids.iter().collect::<BTreeSet<_>>() {
        if !ask::holds(batch, to, *id)? {
            lent += ask::row(batch, *id)?.map_or(0, |row| row.meta.byte_len);
        }
    }
    let wanted = ask::held_by(batch, to)? + lent;
    let whose = format!("the session {to}");
    Ok((lent > 0 && wanted > limit).then_some(AttachmentError::OverQuota { whose, limit, wanted }))
}

fn turn(batch: &Transaction<'_>, id: AttachmentId, from: BlobState, to: BlobState) -> rusqlite::Result<Changed> {
    batch.prepare_cached("UPDATE blobs SET state = ? WHERE id = ? AND state = ?")?.execute(params![
        to.as_str(),
        id.digest(),
        from.as_str()
    ])?;
    Ok(Changed::Done)
}

/// What `holder` refers to is claimed for good in `session`.
fn commit(
    batch: &Transaction<'_>,
    holder: &Session,
    session: &Session,
    owner: &Owner,
    ids: &[AttachmentId],
    at_ms: i64,
) -> rusqlite::Result<Changed> {
    let mut live = batch.prepare_cached("SELECT 1 FROM blobs WHERE id = ? AND state = 'live'")?;
    for id in ids {
        if !live.exists([id.digest()])? || !ask::holds(batch, holder, *id)? {
            return Ok(refused(AttachmentError::UnknownBlob { id: *id }));
        }
    }
    let mut stamp = batch.prepare_cached(
        "INSERT INTO refs VALUES (?1, ?2, ?3, ?4, ?4)
         ON CONFLICT DO UPDATE SET committed_at = ifnull(committed_at, excluded.committed_at)",
    )?;
    for id in ids {
        stamp.execute(params![session.as_str(), id.digest(), owner.as_str(), at_ms])?;
    }
    Ok(Changed::References(ids.len() as u64))
}

fn release(batch: &Transaction<'_>, scope: &Scope) -> rusqlite::Result<Changed> {
    let ended = match scope {
        Scope::Session(session) => {
            batch.prepare_cached("DELETE FROM refs WHERE session = ?")?.execute([session.as_str()])
        }
        Scope::Owner(session, owner) => batch
            .prepare_cached("DELETE FROM refs WHERE session = ? AND owner = ?")?
            .execute([session.as_str(), owner.as_str()]),
        Scope::One(session, id) => batch
            .prepare_cached("DELETE FROM refs WHERE session = ? AND blob = ?")?
            .execute(params![session.as_str(), id.digest()]),
        Scope::Everywhere(id) => batch.prepare_cached("DELETE FROM refs WHERE blob = ?")?.execute([id.digest()]),
    };
    Ok(Changed::References(ended? as u64))
}

fn adopt(batch: &Transaction<'_>, parent: &Session, child: &Session) -> rusqlite::Result<Changed> {
    let copied = batch
        .prepare_cached(
            "INSERT OR IGNORE INTO refs
             SELECT ?2, blob, owner, intent_at, committed_at FROM refs WHERE session = ?1",
        )?
        .execute([parent.as_str(), child.as_str()])?;
    Ok(Changed::References(copied as u64))
}

fn drop_stale(batch: &Transaction<'_>, intents: &[Intent]) -> rusqlite::Result<Changed> {
    let mut delete = batch.prepare_cached(
        "DELETE FROM refs WHERE session = ? AND blob = ? AND owner = ? AND intent_at = ? AND committed_at IS NULL",
    )?;
    let mut dropped = 0;
    for intent in intents {
        let Intent { session_id, attachment_id, owner, intent_at_epoch_ms, .. } = intent;
        dropped +=
            delete.execute(params![session_id.as_str(), attachment_id.digest(), owner.as_str(), intent_at_epoch_ms])?;
    }
    Ok(Changed::References(dropped as u64))
}

fn condemn(batch: &Transaction<'_>, ids: &[AttachmentId]) -> rusqlite::Result<Changed> {
    let mut mark = batch.prepare_cached(
        "UPDATE blobs SET state = 'condemned'
         WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM refs WHERE blob = ?1) RETURNING byte_len",
    )?;
    let mut condemned = Vec::new();
    for id in ids {
        let marked = mark.query_row([id.digest()], |row| rows::unsigned(row, 0)).optional()?;
        condemned.extend(marked.map(|byte_len| (*id, byte_len)));
    }
    Ok(Changed::Condemned(condemned))
}
