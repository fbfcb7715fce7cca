//! Who is visited when: one visit of a peer at a time and in order, so many peers at once, births and removals before
//! sweeps. Pure.
//!
//! ```text
//! submit ─▶ lane of the peer ─▶ ready: joints first, then sweeps ─▶ begin (while fewer than `parallel` run) ─▶ ended
//! ```
//!
//! A lane with a joint in it goes first as a whole: what stands before the joint there must still come before it.

use crate::names::Personality;
use std::collections::{HashMap, VecDeque};

/// Names one visit.
pub type Ticket = u64;

/// Visits that wait and visits that run.
#[derive(Debug)]
pub struct Schedule<V> {
    parallel: usize,
    running: usize,
    issued: Ticket,
    lanes: HashMap<Personality, Lane<V>>,
    /// Peers that may be next; one that is listed twice, or has nothing to do any more, is passed over.
    joints: VecDeque<Personality>,
    sweeps: VecDeque<Personality>,
}

/// One peer's visits.
#[derive(Debug)]
struct Lane<V> {
    waiting: VecDeque<Waiting<V>>,
    busy: Option<Ticket>,
}

#[derive(Debug)]
struct Waiting<V> {
    ticket: Ticket,
    is_joint: bool,
    visit: V,
}

impl<V> Lane<V> {
    fn has_joint(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.is_joint)
    }
}

impl<V> Schedule<V> {
    /// Nothing to do; at most `parallel` at once.
    pub fn new(parallel: usize) -> Self {
        Self {
            parallel: parallel.max(1),
            running: 0,
            issued: 0,
            lanes: HashMap::new(),
            joints: VecDeque::new(),
            sweeps: VecDeque::new(),
        }
    }

    /// How many at once, from now on; what runs goes on.
    pub fn set_parallel(&mut self, parallel: usize) {
        self.parallel = parallel.max(1);
    }

    /// Visits that wait.
    pub fn waiting(&self) -> usize {
        self.lanes.values().map(|lane| lane.waiting.len()).sum()
    }

    /// Puts a visit at the end of its peer's lane. A joint is a birth or a removal, for which somebody waits.
    pub fn submit(&mut self, peer: &Personality, is_joint: bool, visit: V) -> Ticket {
        self.issued += 1;
        let lane = self.lanes.entry(peer.clone()).or_insert_with(|| Lane { waiting: VecDeque::new(), busy: None });
        lane.waiting.push_back(Waiting { ticket: self.issued, is_joint, visit });
        // A busy lane is listed again when its visit has ended.
        if lane.busy.is_none() {
            if is_joint { &mut self.joints } else { &mut self.sweeps }.push_back(peer.clone());
        }
        self.issued
    }

    /// The next visit that may begin now; asked until there is none.
    pub fn begin(&mut self) -> Option<(Ticket, V)> {
        if self.running >= self.parallel {
            return None;
        }
        while let Some(peer) = self.joints.pop_front().or_else(|| self.sweeps.pop_front()) {
            let Some(lane) = self.lanes.get_mut(&peer).filter(|lane| lane.busy.is_none()) else { continue };
            let Some(next) = lane.waiting.pop_front() else { continue };
            lane.busy = Some(next.ticket);
            self.running += 1;
            return Some((next.ticket, next.visit));
        }
        None
    }

    /// A visit is over.
    pub fn ended(&mut self, peer: &Personality, ticket: Ticket) {
        let Some(lane) = self.lanes.get_mut(peer).filter(|lane| lane.busy == Some(ticket)) else { return };
        lane.busy = None;
        self.running -= 1;
        match lane.waiting.is_empty() {
            true => drop(self.lanes.remove(peer)),
            false if lane.has_joint() => self.joints.push_back(peer.clone()),
            false => self.sweeps.push_back(peer.clone()),
        }
    }

    /// Takes back what waits and is `unwanted`, oldest first. What runs is for the caller to end.
    pub fn withdraw(&mut self, unwanted: impl Fn(&V) -> bool) -> Vec<V> {
        let mut withdrawn = Vec::new();
        for lane in self.lanes.values_mut() {
            for waiting in std::mem::take(&mut lane.waiting) {
                if unwanted(&waiting.visit) {
                    withdrawn.push((waiting.ticket, waiting.visit));
                } else {
                    lane.waiting.push_back(waiting);
                }
            }
        }
        self.lanes.retain(|_, lane| lane.busy.is_some() || !lane.waiting.is_empty());
        withdrawn.sort_by_key(|(ticket, _)| *ticket);
        withdrawn.into_iter().map(|(_, visit)| visit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn peer(name: &str) -> Personality {
        name.parse().unwrap()
    }

    fn begun<V>(schedule: &mut Schedule<V>) -> Vec<(Ticket, V)> {
        std::iter::from_fn(|| schedule.begin()).collect()
    }

    fn visits(begun: &[(Ticket, &'static str)]) -> Vec<&'static str> {
        begun.iter().map(|(_, visit)| *visit).collect()
    }

    #[test]
    fn one_peer_is_visited_in_order_and_others_beside_it() {
        let mut schedule = Schedule::new(2);
        for (name, visit) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("c", "c1")] {
            schedule.submit(&peer(name), false, visit);
        }
        let first = begun(&mut schedule);
        assert_eq!(visits(&first), ["a1", "b1"]);
        schedule.ended(&peer("a"), first[0].0);
        let second = begun(&mut schedule);
        assert_eq!(visits(&second), ["c1"], "a has had its turn");
        schedule.ended(&peer("b"), first[1].0);
        assert_eq!(visits(&begun(&mut schedule)), ["a2"]);
        assert_eq!(schedule.waiting(), 0);
    }

    #[test]
    fn a_joint_goes_before_a_sweep_but_not_before_its_own_peers_earlier_visits() {
        let mut schedule = Schedule::new(1);
        schedule.submit(&peer("a"), false, "a-sweep");
        schedule.submit(&peer("b"), false, "b-sweep");
        schedule.submit(&peer("c"), false, "c-sweep");
        schedule.submit(&peer("c"), true, "c-joint");
        schedule.submit(&peer("d"), true, "d-joint");
        let mut order = Vec::new();
        while let Some((ticket, visit)) = schedule.begin() {
            order.push(visit);
            schedule.ended(&peer(&visit[..1]), ticket);
        }
        assert_eq!(order, ["c-sweep", "d-joint", "c-joint", "a-sweep", "b-sweep"]);
    }

    #[test]
    fn what_is_withdrawn_never_begins_and_what_runs_goes_on() {
        let mut schedule = Schedule::new(1);
        for (name, visit) in [("a", 1), ("b", 2), ("a", 3), ("c", 4)] {
            schedule.submit(&peer(name), false, visit);
        }
        let running = begun(&mut schedule);
        assert_eq!(schedule.withdraw(|visit| *visit != 4), [2, 3]);
        schedule.ended(&peer("a"), running[0].0);
        assert_eq!(begun(&mut schedule).iter().map(|(_, visit)| *visit).collect::<Vec<_>>(), [4]);
    }

    #[test]
    fn an_end_that_is_told_twice_counts_once() {
        let mut schedule = Schedule::new(1);
        schedule.submit(&peer("a"), true, ());
        let (ticket, ()) = schedule.begin().unwrap();
        schedule.ended(&peer("a"), ticket);
        schedule.ended(&peer("a"), ticket);
        schedule.submit(&peer("a"), true, ());
        schedule.submit(&peer("b"), true, ());
        assert!(schedule.begin().is_some());
        assert!(schedule.begin().is_none(), "one at once");
    }

    #[derive(Debug, Clone)]
    enum Do {
        Submit(u8, bool),
        End(usize),
        Withdraw(u8),
    }

    fn anything() -> impl Strategy<Value = Do> {
        prop_oneof![
            4 => (0..5u8, any::<bool>()).prop_map(|(who, joint)| Do::Submit(who, joint)),
            4 => (0..8usize).prop_map(Do::End),
            1 => (0..5u8).prop_map(Do::Withdraw),
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_lost_doubled_or_out_of_order(parallel in 1..4usize, steps in prop::collection::vec(anything(), 0..80)) {
            let name = |who: u8| peer(&format!("p{who}"));
            let mut schedule = Schedule::new(parallel);
            let mut waiting: Vec<(u8, Ticket)> = Vec::new();
            let mut running: Vec<(u8, Ticket)> = Vec::new();
            for step in steps.into_iter().chain((0..200).map(|_| Do::End(0))) {
                match step {
                    Do::Submit(who, joint) => {
                        let ticket = schedule.issued + 1;
                        prop_assert_eq!(schedule.submit(&name(who), joint, (who, ticket)), ticket);
                        waiting.push((who, ticket));
                    }
                    Do::End(index) if !running.is_empty() => {
                        let (who, ticket) = running.remove(index % running.len());
                        schedule.ended(&name(who), ticket);
                    }
                    Do::End(_) => {}
                    Do::Withdraw(who) => {
                        let taken = schedule.withdraw(|(other, _)| *other == who);
                        let expected: Vec<_> = waiting.iter().copied().filter(|(other, _)| *other == who).collect();
                        prop_assert_eq!(taken, expected);
                        waiting.retain(|(other, _)| *other != who);
                    }
                }
                while let Some((ticket, (who, same))) = schedule.begin() {
                    prop_assert_eq!(ticket, same);
                    prop_assert!(running.iter().all(|(other, _)| *other != who), "two visits of one peer");
                    let oldest = waiting.iter().position(|(other, _)| *other == who).unwrap();
                    prop_assert_eq!(waiting.remove(oldest), (who, ticket));
                    running.push((who, ticket));
                }
                prop_assert!(running.len() <= parallel);
                let free = |(who, _): &&(u8, Ticket)| running.iter().all(|(other, _)| other != who);
                prop_assert!(running.len() == parallel || waiting.iter().find(free).is_none(), "somebody waits for nothing");
            }
            prop_assert!(waiting.is_empty() && running.is_empty() && schedule.lanes.is_empty());
        }
    }
}
