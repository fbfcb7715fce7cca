//! The sweeps that run, and the last ones that did, for whoever looks; the actor writes it.

use super::{error::ProvisionError, occasion::Direction, outcome::PeerReport, view::SweepView};
use crate::names::Personality;
use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};
use tokio::sync::watch;

/// Sweeps that are remembered after their end.
const FINISHED_SWEEPS_MAX: usize = 16;

/// Shared by the actor and those who look.
#[derive(Debug, Default)]
pub(super) struct Board(RwLock<BTreeMap<u64, watch::Sender<SweepView>>>);

impl Board {
    /// Puts up a new sweep.
    pub(super) fn begin(
        &self,
        direction: Direction,
        peer: Option<Personality>,
        total: usize,
    ) -> Result<u64, ProvisionError> {
        let mut sweeps = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let same = |sweep: &SweepView| !sweep.finished && (sweep.direction, &sweep.peer) == (direction, &peer);
        if let Some((id, _)) = sweeps.iter().find(|(_, sweep)| same(&sweep.borrow())) {
            return Err(ProvisionError::SweepRuns { id: *id });
        }
        let id = sweeps.keys().next_back().map_or(1, |last| last + 1);
        let finished: Vec<u64> =
            sweeps.iter().filter(|(_, sweep)| sweep.borrow().finished).map(|(id, _)| *id).collect();
        for old in finished.iter().rev().skip(FINISHED_SWEEPS_MAX - 1) {
            sweeps.remove(old);
        }
        let finished = total == 0;
        let view = SweepView { id, direction, peer, total, done: 0, cancelled: false, finished, reports: Vec::new() };
        sweeps.insert(id, watch::Sender::new(view));
        Ok(id)
    }

    /// One more peer is done.
    pub(super) fn report(&self, id: u64, report: PeerReport) {
        self.change(id, |sweep| {
            sweep.reports.push(report);
            sweep.done = sweep.reports.len();
            sweep.finished = sweep.done == sweep.total;
        });
    }

    /// It was called off; what runs is being ended.
    pub(super) fn cancelled(&self, id: u64) {
        self.change(id, |sweep| sweep.cancelled = !sweep.finished);
    }

    /// Nobody goes on with what an earlier actor had begun.
    pub(super) fn abandon(&self) {
        for sweep in self.0.read().unwrap_or_else(PoisonError::into_inner).values() {
            sweep.send_if_modified(|sweep| {
                let lost = !sweep.finished;
                (sweep.finished, sweep.cancelled) = (true, sweep.cancelled || lost);
                lost
            });
        }
    }

    /// Whoever follows a sweep.
    pub(super) fn follow(&self, id: u64) -> Result<watch::Receiver<SweepView>, ProvisionError> {
        let sweeps = self.0.read().unwrap_or_else(PoisonError::into_inner);
        sweeps.get(&id).map(watch::Sender::subscribe).ok_or(ProvisionError::UnknownSweep { id })
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut SweepView)) {
        if let Some(sweep) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&id) {
            sweep.send_modify(change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_sweep_is_refused_while_it_runs_and_others_are_not() {
        let board = Board::default();
        let bob = Some("bob".parse().unwrap());
        assert_eq!(board.begin(Direction::On, None, 1), Ok(1));
        assert_eq!(board.begin(Direction::On, None, 1), Err(ProvisionError::SweepRuns { id: 1 }));
        assert_eq!(board.begin(Direction::Off, None, 1), Ok(2));
        assert_eq!(board.begin(Direction::On, bob, 1), Ok(3));
        board.report(1, PeerReport { personality: "ann".parse().unwrap(), runtimes: vec![] });
        assert!(board.follow(1).unwrap().borrow().finished);
        assert_eq!(board.begin(Direction::On, None, 0), Ok(4));
        assert!(board.follow(4).unwrap().borrow().finished, "nobody is to be visited");
    }

    #[test]
    fn only_the_last_sweeps_are_remembered_and_none_that_runs_is_forgotten() {
        let board = Board::default();
        let running = board.begin(Direction::Off, None, 1).unwrap();
        let ids: Vec<u64> = (0..40).map(|_| board.begin(Direction::On, None, 0).unwrap()).collect();
        assert!(board.follow(running).is_ok());
        let known = ids.iter().filter(|id| board.follow(**id).is_ok()).count();
        assert_eq!(known, FINISHED_SWEEPS_MAX);
        assert!(board.follow(ids[39]).is_ok());
        assert_eq!(board.follow(ids[0]).unwrap_err(), ProvisionError::UnknownSweep { id: ids[0] });
        board.abandon();
        let view = board.follow(running).unwrap().borrow().clone();
        assert!(view.finished && view.cancelled);
    }
}
