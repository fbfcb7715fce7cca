//! Removes messages that were kept long enough, and with them the references to their attachments.

use super::{
    id::MessageId,
    letter::owner_of,
    progress::{Record, State},
    shared::Shared,
    store::{Change, Changed},
};
use crate::{
    attachments::{Session, change::Scope},
    error::FleetError,
};
use std::{sync::Arc, time::Duration};

/// Messages that are removed in one transaction.
const BATCH_MESSAGES: usize = 200;

/// What an earlier mailroom left undelivered, in order. What it had not accepted yet was never acknowledged: that is
/// taken back first, so that nobody who sends again with the same key finds it.
pub(super) async fn open(shared: &Shared) -> Result<Vec<Record>, FleetError> {
    let left = shared.parts.store.open().await?;
    let (never_accepted, open): (Vec<_>, Vec<_>) =
        left.into_iter().partition(|record| record.progress.state == State::Accepting);
    let messages = never_accepted.iter().map(|record| (record.message.id, session_of(record)));
    let forget = release(shared, messages.collect()).await?;
    shared.parts.store.apply(Arc::new(vec![Change::Forget(forget)])).await?;
    Ok(open)
}

/// Removes what is old.
pub(super) async fn sweep(shared: &Shared) -> Result<(), FleetError> {
    let keep = i64::try_from(shared.parts.rules.keep.as_secs()).unwrap_or(i64::MAX);
    let Ok(before) = shared.now().checked_sub(jiff::SignedDuration::from_secs(keep)) else { return Ok(()) };
    loop {
        let stale = shared.parts.store.stale(before, BATCH_MESSAGES).await?;
        let is_all = stale.len() < BATCH_MESSAGES;
        let forget = release(shared, stale).await?;
        match shared.ask(Change::Forget(forget)).await? {
            Changed::Done => {}
            other => return Err(FleetError::Internal(format!("forgetting messages came to {other:?}"))),
        }
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

/// Ends these messages' references, and only then are they to be forgotten: whoever dies in between finds them again.
async fn release(shared: &Shared, messages: Vec<(MessageId, Option<Session>)>) -> Result<Vec<MessageId>, FleetError> {
    let mut ids = Vec::with_capacity(messages.len());
    for (id, session) in messages {
        if let Some(session) = session {
            shared.parts.attachments.release(Scope::Owner(session, owner_of(id))).await?;
        }
        ids.push(id);
    }
    Ok(ids)
}
