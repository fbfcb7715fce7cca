//! Removes messages that were kept long enough, and with them the references to their attachments.

use super::{
    letter::owner_of,
    progress::Record,
    shared::Shared,
    store::{Change, Changed},
};
use crate::{
    attachments::{Session, change::Scope},
    error::FleetError,
};
use std::time::Duration;

/// Messages that are removed in one transaction.
const BATCH_MESSAGES: usize = 200;

/// Removes what is old, and `never_accepted`. References go first: whoever dies in between finds the message again.
pub(super) async fn sweep(shared: &Shared, never_accepted: Vec<Record>) -> Result<(), FleetError> {
    let sessions = never_accepted.into_iter().map(|record| {
        let session = session_of(&record);
        (record.message.id, session)
    });
    remove(shared, sessions.collect()).await?;
    let keep = i64::try_from(shared.parts.rules.keep.as_secs()).unwrap_or(i64::MAX);
    let Ok(before) = shared.now().checked_sub(jiff::SignedDuration::from_secs(keep)) else { return Ok(()) };
    loop {
        let stale = shared.parts.store.stale(before, BATCH_MESSAGES).await?;
        let is_all = stale.len() < BATCH_MESSAGES;
        remove(shared, stale).await?;
        if is_all {
            return Ok(());
        }
        // Others write too.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The session in which a message holds its attachments, where it does.
pub(super) fn session_of(record: &Record) -> Option<Session> {
    let holds = !record.message.attachments.is_empty();
    holds.then(|| record.message.to.to_string().parse().expect("an identity is a session's name"))
}

async fn remove(shared: &Shared, messages: Vec<(super::id::MessageId, Option<Session>)>) -> Result<(), FleetError> {
    if messages.is_empty() {
        return Ok(());
    }
    let mut ids = Vec::with_capacity(messages.len());
    for (id, session) in messages {
        if let Some(session) = session {
            shared.parts.attachments.release(Scope::Owner(session, owner_of(id))).await?;
        }
        ids.push(id);
    }
    match shared.ask(Change::Forget(ids)).await? {
        Changed::Done => Ok(()),
        other => Err(FleetError::Internal(format!("forgetting messages came to {other:?}"))),
    }
}
