//! Mass death: who may come back, when, and what is told of it.

use crate::{
    names::{Generation, Identity},
    peer::incident::{Action, INCIDENT_PEERS_MIN, Input, ON_ITS_WAY_MS_MAX, Pacer, TOGETHER_MS},
    ports::Moment,
    view::PhaseName,
};
use PhaseName::{Backoff, NeedsAttention, Quarantined, Starting, Stopped, Up};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const PARALLEL: usize = 8;

fn id(number: usize) -> Identity {
    format!("shell-p{number}").parse().unwrap()
}

/// A pacer, and what was heard of it: `go 3`, `hold 3`, `incident 3`, `wake +2001`.
#[derive(Default)]
struct Desk {
    pacer: Pacer,
    now_ms: u64,
    dues: BTreeSet<u64>,
}

impl Desk {
    fn hear(&mut self, input: Input) -> Vec<Action> {
        let wall = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(self.now_ms.try_into().unwrap());
        let actions = self.pacer.step(input, Moment { wall, boot_ms: self.now_ms }, PARALLEL);
        self.dues.extend(actions.iter().filter_map(|action| match action {
            Action::WakeAt(at) => Some(*at),
            _ => None,
        }));
        actions
    }

    /// What was done, without the times to be woken at.
    fn words(&mut self, input: Input) -> Vec<String> {
        let word = |action| match action {
            Action::Go(who, _, incident) => Some(format!("go {}{}", number(&who), incident.map_or("", |_| " in turn"))),
            Action::Hold(who, ..) => Some(format!("hold {}", number(&who))),
            Action::Tell(draft) => {
                let field = |name: &str| draft.fields.iter().find(|(key, _)| key == name).unwrap().1.clone();
                Some(format!("{} of {}", draft.ev, field("count")))
            }
            Action::WakeAt(_) => None,
        };
        self.hear(input).into_iter().filter_map(word).collect()
    }

    fn die(&mut self, who: usize) -> Vec<String> {
        self.words(Input::Died(id(who)))
    }

    fn ask(&mut self, who: usize) -> Vec<String> {
        self.words(Input::Asks(id(who), Generation(2)))
    }

    fn stand(&mut self, who: usize, phase: PhaseName) -> Vec<String> {
        self.words(Input::Stands(id(who), phase))
    }

    /// Time passes; what was to be heard at its instants is heard.
    fn wait(&mut self, ms: u64) -> Vec<String> {
        let (until, mut words) = (self.now_ms + ms, Vec::new());
        while let Some(at) = self.dues.first().copied().filter(|&at| at <= until) {
            self.dues.pop_first();
            self.now_ms = at;
            words.extend(self.words(Input::Due(at)));
        }
        self.now_ms = until;
        words
    }
}

fn number(who: &Identity) -> String {
    who.personality().as_str()[1..].to_owned()
}

const NOTHING: [&str; 0] = [];

#[test]
fn one_or_two_deaths_are_no_incident_and_wait_for_nobody() {
    let mut desk = Desk::default();
    for who in 1..=2 {
        assert_eq!(desk.die(who), NOTHING);
        assert_eq!(desk.ask(who), [format!("go {who}")]);
    }
    assert!(desk.dues.is_empty(), "nothing is waited for");
}

#[test]
fn deaths_that_lie_apart_and_deaths_of_one_are_no_incident() {
    let mut apart = Desk::default();
    for who in 1..=20 {
        assert_eq!(apart.die(who), NOTHING);
        apart.wait(TOGETHER_MS / 2 + 1);
    }
    let mut one = Desk::default();
    for _ in 0..20 {
        assert_eq!(one.die(1), NOTHING);
        assert_eq!(one.ask(1), ["go 1"]);
    }
}

#[test]
fn three_deaths_are_one_incident_of_which_one_comes_back_first_and_the_rest_when_it_is_up() {
    let mut desk = Desk::default();
    assert_eq!((desk.die(1), desk.die(2)), (vec![], vec![]));
    assert_eq!(desk.die(3), ["incident of 3"]);
    assert_eq!(desk.die(4), NOTHING);
    assert_eq!(desk.ask(1), ["go 1 in turn"]);
    assert_eq!((desk.ask(2), desk.ask(3)), (vec!["hold 2".to_owned()], vec!["hold 3".to_owned()]));
    assert_eq!(desk.stand(1, Starting), NOTHING);
    assert_eq!(desk.stand(1, Up), ["go 2 in turn", "go 3 in turn"]);
    assert_eq!(desk.ask(4), ["go 4 in turn"]);
    for who in 2..=4 {
        assert_eq!(desk.stand(who, Up), NOTHING);
    }
    assert_eq!(desk.wait(TOGETHER_MS + 1), ["incident-over of 4"]);
    assert_eq!(desk.ask(5), ["go 5"]);
    assert_eq!(desk.wait(100_000), NOTHING);
}

#[test]
fn a_dialog_or_ten_seconds_let_the_others_follow_too() {
    let incident = || {
        let mut desk = Desk::default();
        for who in 1..=3 {
            desk.die(who);
        }
        for who in 1..=3 {
            desk.ask(who);
        }
        desk
    };
    assert_eq!(incident().stand(1, NeedsAttention), ["go 2 in turn", "go 3 in turn"]);
    assert_eq!(incident().wait(ON_ITS_WAY_MS_MAX - 1), NOTHING);
    assert_eq!(incident().wait(ON_ITS_WAY_MS_MAX), ["go 2 in turn", "go 3 in turn"]);
}

#[test]
fn while_the_first_ones_die_again_only_one_is_on_its_way() {
    let mut desk = Desk::default();
    for who in 1..=3 {
        desk.die(who);
    }
    for who in 1..=3 {
        desk.ask(who);
    }
    assert_eq!(desk.die(1), ["go 2 in turn"]);
    assert_eq!(desk.stand(2, Quarantined), ["go 3 in turn"]);
    assert_eq!(desk.ask(1), ["hold 1"]);
    assert_eq!(desk.stand(3, Up), ["go 1 in turn"]);
}

#[test]
fn no_more_than_the_limit_come_back_at_once() {
    let mut desk = Desk::default();
    for who in 0..30 {
        desk.die(who);
    }
    for who in 0..30 {
        desk.ask(who);
    }
    assert_eq!(desk.stand(0, Up).len(), PARALLEL);
    assert_eq!(desk.stand(1, Up), ["go 9 in turn"]);
    assert_eq!(desk.stand(2, Stopped), ["go 10 in turn"], "who is stopped gives its place up");
    assert_eq!(desk.stand(11, Stopped), NOTHING);
    assert_eq!(desk.stand(3, Up), ["go 12 in turn"]);
    assert_eq!(desk.stand(4, Backoff), NOTHING, "it may come back yet");
}

#[test]
fn those_who_came_back_before_it_was_an_incident_are_not_waited_for() {
    let mut desk = Desk::default();
    for who in 1..=2 {
        desk.die(who);
        desk.ask(who);
        desk.stand(who, Up);
    }
    assert_eq!(desk.die(3), ["incident of 3"]);
    assert_eq!(desk.ask(3), ["go 3 in turn"]);
    desk.stand(3, Up);
    assert_eq!(desk.wait(TOGETHER_MS + 1), ["incident-over of 3"]);
}

#[test]
fn who_stays_down_keeps_no_incident_open_for_long() {
    let mut desk = Desk::default();
    for who in 1..=3 {
        desk.die(who);
    }
    assert_eq!(desk.wait(60_000), ["incident-over of 3"]);
}

#[test]
fn a_restart_of_the_host_is_told_once_with_everybody_in_it_and_paced() {
    let mut desk = Desk::default();
    assert_eq!(desk.words(Input::HostRestarted(id(1))), NOTHING);
    assert_eq!(desk.ask(1), ["go 1 in turn"]);
    desk.wait(10);
    assert_eq!(desk.words(Input::HostRestarted(id(2))), NOTHING);
    assert_eq!(desk.ask(2), ["hold 2"]);
    assert_eq!(desk.wait(1_000), ["host-restart of 2"]);
    assert_eq!(desk.stand(1, Up), ["go 2 in turn"]);
    desk.stand(2, Up);
    assert_eq!(desk.wait(5_000), ["incident-over of 2"]);
}

/// One peer of a drawn mass death: when it dies, how long it is swept, how long it boots; milliseconds.
type Fate = (u64, u64, u64);

/// What is to happen next, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Dies,
    Asks,
    IsUp,
}

proptest! {
    #[test]
    fn everybody_comes_back_one_first_and_then_few_at_once(
        fates in prop::collection::vec((0u64..4_000, 1u64..200, 1u64..15_000), 1..40),
    ) {
        let fates: Vec<Fate> = fates;
        let mut desk = Desk::default();
        let mut agenda: BTreeSet<(u64, Next, usize)> =
            fates.iter().enumerate().map(|(who, fate)| (fate.0, Next::Dies, who)).collect();
        // Let go at all, and let go in turn: a single death waits for nobody, also just before an incident.
        let (mut gone, mut in_turn, mut up) = (BTreeMap::new(), BTreeMap::new(), 0);
        let (mut opened, mut closed, mut proven) = (0, 0, false);
        for _ in 0..10_000 {
            let due = desk.dues.first().copied();
            let next = agenda.first().copied();
            let Some(at) = [due, next.map(|(at, ..)| at)].into_iter().flatten().min() else { break };
            desk.now_ms = at;
            let inputs = match next.filter(|(when, ..)| *when == at) {
                None => {
                    desk.dues.pop_first();
                    vec![Input::Due(at)]
                }
                Some(step @ (_, kind, who)) => {
                    agenda.remove(&step);
                    match kind {
                        Next::Dies => {
                            agenda.insert((at + fates[who].1, Next::Asks, who));
                            vec![Input::Died(id(who)), Input::Stands(id(who), Backoff)]
                        }
                        Next::Asks => vec![Input::Asks(id(who), Generation(2))],
                        Next::IsUp => {
                            up += 1;
                            vec![Input::Stands(id(who), Up)]
                        }
                    }
                }
            };
            for input in inputs {
                proven |= matches!(&input, Input::Stands(_, Up));
                for action in desk.hear(input) {
                    match action {
                        Action::Go(who, _, incident) => {
                            let who: usize = number(&who).parse().unwrap();
                            agenda.insert((at + fates[who].2, Next::IsUp, who));
                            gone.insert(who, at);
                            if incident.is_some() {
                                in_turn.insert(who, at);
                            }
                            proven |= gone.values().any(|&since| at >= since + ON_ITS_WAY_MS_MAX);
                            let on_their_way = in_turn.iter().filter(|(who, since)| {
                                at < (**since + ON_ITS_WAY_MS_MAX).min(**since + fates[**who].2)
                            });
                            let places = if proven { PARALLEL } else { 1 };
                            prop_assert!(on_their_way.count() <= places);
                        }
                        Action::Hold(..) => prop_assert!(fates.len() >= INCIDENT_PEERS_MIN),
                        Action::Tell(draft) if draft.ev == "incident" => (opened, proven) = (opened + 1, false),
                        Action::Tell(draft) if draft.ev == "incident-over" => closed += 1,
                        Action::Tell(_) | Action::WakeAt(_) => {}
                    }
                }
            }
        }
        prop_assert_eq!((gone.len(), up), (fates.len(), fates.len()));
        prop_assert_eq!(opened, closed);
        prop_assert!(desk.dues.is_empty(), "nothing ticks on");
    }
}
