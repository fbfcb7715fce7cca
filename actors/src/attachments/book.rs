//! The rules of the manifest: who refers to what, and what may go. Pure, in memory; the file follows the same rules.

use super::{
    change::{BlobState, Change, Changed, Quotas, Scope},
    claim::{Claim, Intent, Session},
    error::AttachmentError,
    id::AttachmentId,
    meta::Meta,
};
use std::collections::{BTreeMap, BTreeSet};

/// A blob as the manifest knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRow {
    /// How far it is.
    pub state: BlobState,
    /// What the first one said of it.
    pub meta: Meta,
}

/// A reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefRow {
    /// Since when it is meant, milliseconds since the epoch.
    pub intent_at_ms: i64,
    /// Since when it is meant to last.
    pub committed_at_ms: Option<i64>,
}

/// Blobs and references.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    blobs: BTreeMap<AttachmentId, BlobRow>,
    refs: BTreeMap<Claim, RefRow>,
}

impl Book {
    /// Every blob.
    pub fn blobs(&self) -> &BTreeMap<AttachmentId, BlobRow> {
        &self.blobs
    }

    /// Every reference.
    pub fn refs(&self) -> &BTreeMap<Claim, RefRow> {
        &self.refs
    }

    /// Whether anybody refers to it.
    pub fn is_referred(&self, id: AttachmentId) -> bool {
        self.refs.keys().any(|claim| claim.id == id)
    }

    /// Whether anybody refers to it for good.
    pub fn owes(&self, id: AttachmentId) -> bool {
        self.refs.iter().any(|(claim, row)| claim.id == id && row.committed_at_ms.is_some())
    }

    /// Whether a session refers to it.
    pub fn holds(&self, session: &Session, id: AttachmentId) -> bool {
        self.refs.keys().any(|claim| claim.id == id && claim.session == *session)
    }

    /// Intents that began before `before_ms`, the oldest first.
    pub fn uncommitted(&self, before_ms: i64) -> Vec<Intent> {
        let open = self.refs.iter().filter(|(_, row)| row.committed_at_ms.is_none() && row.intent_at_ms < before_ms);
        let mut intents: Vec<_> = open.map(|(claim, row)| Intent::of(claim, row.intent_at_ms)).collect();
        intents.sort_by_key(|intent| (intent.intent_at_epoch_ms, intent.claim()));
        intents
    }

    /// Carries out a change; one that is refused changes nothing.
    pub fn apply(&mut self, change: Change) -> Changed {
        match change {
            Change::Intend { claim, meta, at_ms, quotas } => self.intend(claim, *meta, at_ms, quotas),
            Change::Landed(id) => self.turn(id, BlobState::Staged, BlobState::Live),
            Change::Lost(id) => self.turn(id, BlobState::Live, BlobState::Staged),
            Change::Abandon(claim) => {
                if self.refs.get(&claim).is_some_and(|row| row.committed_at_ms.is_none()) {
                    self.refs.remove(&claim);
                }
                Changed::Done
            }
            Change::Commit { session, owner, ids, at_ms } => {
                let claims: Vec<_> =
                    ids.into_iter().map(|id| Claim { session: session.clone(), id, owner: owner.clone() }).collect();
                self.commit(&session, claims, at_ms)
            }
            Change::Release(scope) => self.release(&scope),
            Change::Adopt { parent, child } => self.adopt(&parent, &child),
            Change::Lend { from, to, owner, ids, at_ms, quotas } => {
                if let Some(error) = self.too_much_lent(&to, &ids, quotas) {
                    return Changed::Refused(error);
                }
                let claims = ids.into_iter().map(|id| Claim { session: to.clone(), id, owner: owner.clone() });
                self.commit(&from, claims.collect(), at_ms)
            }
            Change::DropStale(intents) => {
                let before = self.refs.len();
                for intent in intents {
                    let stale = RefRow { intent_at_ms: intent.intent_at_epoch_ms, committed_at_ms: None };
                    let claim = intent.claim();
                    if self.refs.get(&claim) == Some(&stale) {
                        self.refs.remove(&claim);
                    }
                }
                Changed::References((before - self.refs.len()) as u64)
            }
            Change::Condemn(ids) => self.condemn(ids),
            Change::Gone(ids) => {
                for id in ids {
                    if self.blobs.get(&id).is_some_and(|row| row.state == BlobState::Condemned) {
                        self.blobs.remove(&id);
                    }
                }
                Changed::Done
            }
        }
    }

    fn intend(&mut self, claim: Claim, meta: Meta, at_ms: i64, quotas: Quotas) -> Changed {
        if let Err(error) = self.fits(&claim, meta.byte_len, quotas) {
            return Changed::Refused(error);
        }
        let row = self.blobs.entry(claim.id).or_insert(BlobRow { state: BlobState::Staged, meta });
        if row.state == BlobState::Condemned {
            row.state = BlobState::Staged;
        }
        let have = row.state == BlobState::Live;
        let new = !self.refs.contains_key(&claim);
        // An older claim of the same owner stays as it is: what was committed stays committed.
        self.refs.entry(claim).or_insert(RefRow { intent_at_ms: at_ms, committed_at_ms: None });
        Changed::Intended { have, new }
    }

    fn fits(&self, claim: &Claim, byte_len: u64, quotas: Quotas) -> Result<(), AttachmentError> {
        if let Some(limit) = quotas.session_bytes_max.filter(|_| !self.holds(&claim.session, claim.id)) {
            let wanted = self.held_by(&claim.session) + byte_len;
            if wanted > limit {
                let whose = format!("the session {}", claim.session);
                return Err(AttachmentError::OverQuota { whose, limit, wanted });
            }
        }
        if let Some(limit) = quotas.total_bytes_max.filter(|_| !self.blobs.contains_key(&claim.id)) {
            let wanted = self.blobs.values().map(|row| row.meta.byte_len).sum::<u64>() + byte_len;
            if wanted > limit {
                return Err(AttachmentError::OverQuota { whose: "the store".into(), limit, wanted });
            }
        }
        Ok(())
    }

    /// What another session gives counts as what this one puts: else a quota would be passed by sending.
    fn too_much_lent(&self, to: &Session, ids: &[AttachmentId], quotas: Quotas) -> Option<AttachmentError> {
        let limit = quotas.session_bytes_max?;
        let new: BTreeSet<_> = ids.iter().filter(|id| !self.holds(to, **id)).collect();
        let lent: u64 = new.iter().filter_map(|id| self.blobs.get(id)).map(|row| row.meta.byte_len).sum();
        let wanted = self.held_by(to) + lent;
        (lent > 0 && wanted > limit).then(|| AttachmentError::OverQuota {
            whose: format!("the session {to}"),
            limit,
            wanted,
        })
    }

    fn held_by(&self, session: &Session) -> u64 {
        let held = self.blobs.iter().filter(|(id, _)| self.holds(session, **id));
        held.map(|(_, row)| row.meta.byte_len).sum()
    }

    fn turn(&mut self, id: AttachmentId, from: BlobState, to: BlobState) -> Changed {
        if let Some(row) = self.blobs.get_mut(&id).filter(|row| row.state == from) {
            row.state = to;
        }
        Changed::Done
    }

    /// What `holder` refers to is claimed for good.
    fn commit(&mut self, holder: &Session, claims: Vec<Claim>, at_ms: i64) -> Changed {
        for claim in &claims {
            let live = self.blobs.get(&claim.id).is_some_and(|row| row.state == BlobState::Live);
            if !live || !self.holds(holder, claim.id) {
                return Changed::Refused(AttachmentError::UnknownBlob { id: claim.id });
            }
        }
        let count = claims.len() as u64;
        for claim in claims {
            let row = self.refs.entry(claim).or_insert(RefRow { intent_at_ms: at_ms, committed_at_ms: None });
            row.committed_at_ms.get_or_insert(at_ms);
        }
        Changed::References(count)
    }

    fn release(&mut self, scope: &Scope) -> Changed {
        let before = self.refs.len();
        self.refs.retain(|claim, _| !scope.covers(claim));
        Changed::References((before - self.refs.len()) as u64)
    }

    fn adopt(&mut self, parent: &Session, child: &Session) -> Changed {
        let of_parent = self.refs.iter().filter(|(claim, _)| claim.session == *parent);
        let copies: Vec<_> =
            of_parent.map(|(claim, row)| (Claim { session: child.clone(), ..claim.clone() }, *row)).collect();
        let before = self.refs.len();
        for (claim, row) in copies {
            self.refs.entry(claim).or_insert(row);
        }
        Changed::References((self.refs.len() - before) as u64)
    }

    fn condemn(&mut self, ids: Vec<AttachmentId>) -> Changed {
        let mut condemned = Vec::new();
        for id in ids {
            if self.is_referred(id) {
                continue;
            }
            if let Some(row) = self.blobs.get_mut(&id) {
                row.state = BlobState::Condemned;
                condemned.push((id, row.meta.byte_len));
            }
        }
        Changed::Condemned(condemned)
    }
}
