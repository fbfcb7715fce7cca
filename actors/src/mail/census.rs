//! What waits for whom, and what became of the rest: read by everybody, while the actor alone writes.

use super::{
    progress::State,
    view::{MailroomView, Waits},
};
use crate::{names::Identity, outage::Outage};
use dashmap::DashMap;
use std::sync::{
    PoisonError, RwLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The numbers of one mailroom, since its daemon started.
#[derive(Debug, Default)]
pub(super) struct Census {
    /// Only those for whom something waits.
    waiting: DashMap<Identity, Waits>,
    submitted: AtomicU64,
    refused: AtomicU64,
    expired: AtomicU64,
    failed: AtomicU64,
    /// Why the store can not serve, while it can not.
    outage: RwLock<Option<Outage>>,
}

impl Census {
    /// The store was read: what waits is told anew.
    pub(super) fn begins(&self) {
        self.waiting.clear();
        self.serves(None);
    }

    /// So much waits for this peer now.
    pub(super) fn waits(&self, identity: Identity, waits: Option<Waits>) {
        match waits {
            Some(waits) => drop(self.waiting.insert(identity, waits)),
            None => drop(self.waiting.remove(&identity)),
        }
    }

    pub(super) fn waiting_for(&self, identity: &Identity) -> Option<Waits> {
        self.waiting.get(identity).map(|waits| *waits)
    }

    /// A message came to its end.
    pub(super) fn ended(&self, state: State) {
        let number = match state {
            State::Submitted => &self.submitted,
            State::Refused => &self.refused,
            State::Expired => &self.expired,
            State::Failed => &self.failed,
            // Seen it is after it was submitted, and on its way it has no end.
            State::Seen | State::Accepting | State::Queued | State::Typed => return,
        };
        number.fetch_add(1, Relaxed);
    }

    /// The store serves, or does not.
    pub(super) fn serves(&self, outage: Option<Outage>) {
        *self.outage.write().unwrap_or_else(PoisonError::into_inner) = outage;
    }

    pub(super) fn outage(&self) -> Option<Outage> {
        self.outage.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn view(&self) -> MailroomView {
        let mut view = MailroomView {
            submitted: self.submitted.load(Relaxed),
            refused: self.refused.load(Relaxed),
            expired: self.expired.load(Relaxed),
            failed: self.failed.load(Relaxed),
            ..MailroomView::default()
        };
        for waits in &self.waiting {
            view.waiting += waits.count;
            view.recipients += 1;
            view.oldest = Some(view.oldest.map_or(waits.since, |oldest| oldest.min(waits.since)));
        }
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn what_waits_is_added_up_and_gone_when_it_is_over() {
        let census = Census::default();
        let id = |name: &str| name.parse::<Identity>().unwrap();
        let waits = |count, second| Some(Waits { count, since: Timestamp::from_second(second).unwrap() });
        census.waits(id("claude-bob"), waits(3, 20));
        census.waits(id("claude-ann"), waits(1, 10));
        let view = census.view();
        assert_eq!((view.waiting, view.recipients, view.oldest), (4, 2, Some(Timestamp::from_second(10).unwrap())));
        census.waits(id("claude-ann"), None);
        assert_eq!((census.view().waiting, census.waiting_for(&id("claude-ann"))), (3, None));
        for state in State::ALL {
            census.ended(state);
        }
        let view = census.view();
        assert_eq!([view.submitted, view.refused, view.expired, view.failed], [1; 4]);
    }
}
