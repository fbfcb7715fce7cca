//! What the attachments need of a manifest: changes in transactions, and questions beside them.

use super::{
    book::{BlobRow, Book},
    change::{BlobState, Change, Changed},
    claim::{Intent, Session},
    id::AttachmentId,
    store::{PAGE_MAX, Page},
};
use crate::{
    error::FleetError,
    ports::{Answer, BoxFuture},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A window of blobs that nobody refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orphans {
    /// Those, with their lengths in bytes.
    pub found: Vec<(AttachmentId, u64)>,
    /// What to look on after; nothing at the end.
    pub next: Option<AttachmentId>,
}

/// All of it in a few numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Blobs that are known.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that somebody refers to for good and whose bytes are not there.
    pub lost: u64,
}

/// Who refers to what. A change is durable when it is answered. It is opened by the first call that needs it, and again
/// after one that found it closed to us.
pub trait Manifest: Send + Sync + 'static {
    /// Carries out changes in one transaction, in their order; an answer for each. On an error none was made.
    fn apply(&self, changes: Arc<Vec<Change>>) -> BoxFuture<Result<Vec<Changed>, FleetError>>;
    /// Whether a session refers to an attachment.
    fn holds(&self, session: Session, id: AttachmentId) -> Answer<bool>;
    /// Whether anybody refers to an attachment for good.
    fn owes(&self, id: AttachmentId) -> Answer<bool>;
    /// What it knows of a blob.
    fn row(&self, id: AttachmentId) -> Answer<Option<BlobRow>>;
    /// Whether a blob of this length is known: then bytes of it may well be the same.
    fn knows_length(&self, byte_len: u64) -> Answer<bool>;
    /// Bytes that a session refers to, and bytes of all.
    fn usage(&self, session: Session) -> Answer<(u64, u64)>;
    /// How much it knows.
    fn totals(&self) -> Answer<Totals>;
    /// What a session refers to, or all, by id: what is stored, and what ought to be because somebody refers to it for
    /// good.
    fn list(&self, session: Option<Session>, after: Option<AttachmentId>, limit: usize) -> Answer<Page>;
    /// Intents that began before `before_ms`, the oldest first, `limit` of them after the first `skip`.
    fn uncommitted(&self, before_ms: i64, skip: usize, limit: usize) -> Answer<Vec<Intent>>;
    /// Looks at the next `limit` blobs behind `after`.
    fn orphans(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Orphans>;
    /// Blobs that an earlier process left staged or condemned, behind `after`, by id.
    fn unfinished(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Vec<(AttachmentId, BlobState)>>;
    /// Rows that can not be read, each named.
    fn unreadable(&self) -> Answer<Vec<String>>;
}

/// A manifest that is gone with the process, for stores that are too.
#[derive(Debug, Clone, Default)]
pub struct MemoryManifest(Arc<Mutex<Book>>);

impl MemoryManifest {
    /// What it holds.
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask<T: Send + 'static>(&self, question: impl FnOnce(&Book) -> T + Send + 'static) -> Answer<T> {
        let this = self.clone();
        Box::pin(async move { Ok(question(&this.book())) })
    }
}

impl Manifest for MemoryManifest {
    fn apply(&self, changes: Arc<Vec<Change>>) -> BoxFuture<Result<Vec<Changed>, FleetError>> {
        let this = self.clone();
        Box::pin(async move {
            let mut book = this.book();
            Ok(changes.iter().map(|change| book.apply(change.clone())).collect())
        })
    }

    fn holds(&self, session: Session, id: AttachmentId) -> Answer<bool> {
        self.ask(move |book| book.holds(&session, id))
    }

    fn owes(&self, id: AttachmentId) -> Answer<bool> {
        self.ask(move |book| book.owes(id))
    }

    fn row(&self, id: AttachmentId) -> Answer<Option<BlobRow>> {
        self.ask(move |book| book.blobs().get(&id).cloned())
    }

    fn knows_length(&self, byte_len: u64) -> Answer<bool> {
        self.ask(move |book| book.blobs().values().any(|row| row.meta.byte_len == byte_len))
    }

    fn usage(&self, session: Session) -> Answer<(u64, u64)> {
        self.ask(move |book| {
            let bytes = |whose: Option<&Session>| {
                let held = book.blobs().iter().filter(|(id, _)| whose.is_none_or(|whose| book.holds(whose, **id)));
                held.map(|(_, row)| row.meta.byte_len).sum()
            };
            (bytes(Some(&session)), bytes(None))
        })
    }

    fn totals(&self) -> Answer<Totals> {
        self.ask(|book| {
            let is_lost = |id: &AttachmentId, row: &BlobRow| row.state == BlobState::Staged && book.owes(*id);
            let (lost, blobs) = (book.blobs().iter().filter(|(id, row)| is_lost(id, row)), book.blobs().values());
            Totals {
                lost: lost.count() as u64,
                bytes: blobs.clone().map(|row| row.meta.byte_len).sum(),
                count: blobs.len() as u64,
            }
        })
    }

    fn list(&self, session: Option<Session>, after: Option<AttachmentId>, limit: usize) -> Answer<Page> {
        let limit = limit.clamp(1, PAGE_MAX);
        self.ask(move |book| {
            let held = book.blobs().iter().filter(|(id, row)| {
                (row.state == BlobState::Live || book.owes(**id))
                    && after.is_none_or(|after| **id > after)
                    && session.as_ref().is_none_or(|session| book.holds(session, **id))
            });
            let mut items: Vec<_> = held.take(limit + 1).map(|(_, row)| row.meta.clone()).collect();
            let more = items.len() > limit;
            items.truncate(limit);
            Page { next: items.last().map(|meta| meta.id).filter(|_| more), items }
        })
    }

    fn uncommitted(&self, before_ms: i64, skip: usize, limit: usize) -> Answer<Vec<Intent>> {
        self.ask(move |book| book.uncommitted(before_ms).into_iter().skip(skip).take(limit).collect())
    }

    fn orphans(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Orphans> {
        self.ask(move |book| {
            let behind = book.blobs().iter().filter(|(id, _)| after.is_none_or(|after| **id > after));
            let window: Vec<_> = behind.take(limit).map(|(id, row)| (*id, row.meta.byte_len)).collect();
            let next = window.last().map(|(id, _)| *id).filter(|_| window.len() == limit);
            Orphans { found: window.into_iter().filter(|(id, _)| !book.is_referred(*id)).collect(), next }
        })
    }

    fn unfinished(&self, after: Option<AttachmentId>, limit: usize) -> Answer<Vec<(AttachmentId, BlobState)>> {
        self.ask(move |book| {
            let open = book.blobs().iter().filter(|(_, row)| row.state != BlobState::Live);
            let behind = open.filter(|(id, _)| after.is_none_or(|after| **id > after));
            behind.take(limit).map(|(id, row)| (*id, row.state)).collect()
        })
    }

    fn unreadable(&self) -> Answer<Vec<String>> {
        self.ask(|_| Vec::new())
    }
}
