//! Whatever happens in whatever order, and whenever the actor dies: the promises hold.
//!
//! A [`Draw`] is a kind of happening and a number to choose with. The model keeps the state of `step`, the file as it
//! was last made durable, and the [`Truth`] of the world beside them, and claims after every decision what must
//! hold always, and at the end of a run, when everything has landed, what must hold then.

use super::{
    lab::{BOOT, KILLED, rules},
    truth::Truth,
};
use crate::{
    error::FleetError,
    names::Generation,
    peer::{
        beginning::Wanted,
        file::{Desired, LifePhase, PeerFile},
        input::{Action, Alarm, Input, PeerRules, SessionExit},
        one_task::OneTask,
        phase::{CanaryWatch, PeerState, Phase, Stage},
        restart_policy::{RestartLimit, RestartPolicy},
        step::step,
    },
    ports::{LifeEnd, Moment, SweepReport},
    view::PhaseName,
};
use jiff::Timestamp;
use proptest::prelude::*;

/// What is drawn, and what is chosen by.
type Draw = (u8, u8);
const KINDS: u8 = 34;
/// So that sleep comes about as often as the rest.
const IDLE_AFTER_MS: u64 = 20_000;

struct Model {
    state: PeerState,
    /// What is on disk.
    disk: PeerFile,
    rules: PeerRules,
    now_ms: u64,
    truth: Truth,
    highest: u64,
    /// The last request that was accepted was a stop, and nothing took it back.
    stopped: bool,
    /// What chance decides next.
    chance: u64,
    /// When its program last gave a sign of life, or somebody wanted it.
    sign_ms: u64,
}

impl Model {
    fn new(policy: RestartPolicy, ephemeral: bool) -> Self {
        let disk = PeerFile::default();
        let state = PeerState::resting(disk.clone(), 1_000_000);
        let truth = Truth::default();
        let one_task = ephemeral.then_some(OneTask { after_reply_ms: IDLE_AFTER_MS, silence_ms: IDLE_AFTER_MS });
        // So that the few deaths of a run can be too many.
        let limit = RestartLimit { deaths_max: 3, ..RestartLimit::default() };
        let rules = PeerRules { limit, idle_after_ms: Some(IDLE_AFTER_MS), one_task, ..rules(policy) };
        let now_ms = 1_000_000;
        Self { state, disk, rules, now_ms, truth, highest: 0, stopped: false, chance: 0, sign_ms: now_ms }
    }

    /// One decision, with everything that must hold for every one.
    fn decide(&mut self, input: Input) {
        let wants_up = input.wants_life();
        let is_request = wants_up || matches!(input, Input::Stop { .. } | Input::Reset | Input::Done(_));
        let (is_wake, is_idle) = (matches!(input, Input::Wake(_)), matches!(input, Input::Idle(_)));
        if wants_up
            || matches!(
                input,
                Input::Ready(_) | Input::Delivered(_) | Input::Given(..) | Input::Replied(_) | Input::Found(..)
            )
        {
            self.sign_ms = self.now_ms;
        }
        let (is_stop, is_reset) = (matches!(input, Input::Stop { .. }), matches!(input, Input::Reset));
        let what = format!("{input:?}");
        let before = self.state.clone();
        let now = Moment { wall: Timestamp::UNIX_EPOCH, boot_ms: self.now_ms };
        let (state, actions) = step(before.clone(), input, now, self.chance, &self.rules);
        self.state = state;
        self.check_waits(&before, wants_up, &actions, &what);
        let answers = actions.iter().filter(|action| matches!(action, Action::Answer(_))).count();
        assert_eq!(answers, usize::from(is_request), "every request is answered once: {what}");
        if before.file.desired == Desired::Quarantined && !is_reset {
            assert_eq!(self.state.file.desired, Desired::Quarantined, "only a reset leads out: {what}");
        }
        if before.phase == Phase::Quarantined && !is_reset {
            // Somebody in the way of its last life does not lift it: the file still says so.
            let after = self.state.phase.name();
            assert!(matches!(after, PhaseName::Quarantined | PhaseName::Blocked), "only a reset leads out: {what}");
        }
        if is_idle && self.state.live().is_some_and(|live| matches!(live.stage, Stage::Stopping { .. })) {
            let quiet_ms = self.now_ms - self.sign_ms;
            assert!(quiet_ms >= IDLE_AFTER_MS, "put to sleep after {quiet_ms} ms: {what}");
        }
        for action in actions {
            if let Action::Answer(Ok(_)) = action
                && !is_reset
            {
                assert!(!(is_wake && self.stopped), "a stop wins over a wake");
                self.stopped = is_stop;
            }
            self.carry_out(action, &what);
        }
        if let Some(live) = self.state.live() {
            let known = self.state.file.lives.iter().any(|life| life.generation == live.generation);
            assert!(known, "the file names the living life: {what}");
        }
    }

    /// A wait is what chance chose and not longer than its ceiling, and no life begins by itself before it is over.
    fn check_waits(&self, before: &PeerState, wants_up: bool, actions: &[Action], what: &str) {
        let file = &self.state.file;
        let counted = file.last_death != before.file.last_death;
        if let (true, Some(at_boot_ms)) = (counted, file.next_try_boot_ms) {
            let chosen_ms = self.rules.limit.delay_ms(file.deaths_in_a_row, self.chance);
            assert_eq!(at_boot_ms, self.now_ms + chosen_ms, "the wait that was chosen: {what}");
        }
        if let Phase::Backoff { until_boot_ms } = self.state.phase {
            assert_eq!(file.next_try_boot_ms, Some(until_boot_ms), "the next daemon waits as long: {what}");
        }
        let begins = actions.iter().any(|action| matches!(action, Action::StartServer(..)));
        if let (true, false, Some(at_boot_ms)) = (begins, wants_up, before.file.next_try_boot_ms)
            && before.file.boot_id == self.rules.boot_id
        {
            assert!(self.now_ms >= at_boot_ms, "{} ms too early: {what}", at_boot_ms - self.now_ms);
        }
    }

    /// A server that lives is in hand, or known to be in the way.
    fn check_nobody_is_forgotten(&self, draw: Draw) {
        if let Some(alive) = self.truth.alive() {
            let in_hand = self.state.live().map(|live| live.generation.0);
            assert!(in_hand == Some(alive) || self.state.phase == Phase::Blocked, "{alive} is forgotten: {draw:?}");
        }
    }

    fn carry_out(&mut self, action: Action, what: &str) {
        match &action {
            Action::Save(file) => self.save(file, what),
            Action::StartServer(g, file) => {
                self.save(file, what);
                assert!(file.lives.iter().any(|life| life.generation == *g), "it is on disk before it is started");
                assert!(g.0 > self.highest, "generations only rise: {what}");
                self.highest = g.0;
                for (before, server) in &self.truth.servers {
                    assert!(!server.alive, "{g} beside the living {before}: {what}");
                    assert!(server.clean, "{g} before {before} was swept: {what}");
                }
            }
            Action::EndLife(g, claim) => {
                assert!(!claim.why.is_empty() && !claim.by.is_empty(), "a claim says why and who");
                assert_eq!(self.state.live().map(|live| live.generation), Some(*g), "only what is in hand is ended");
            }
            Action::Sweep(g) => {
                let server = self.truth.servers.get(&g.0);
                assert!(server.is_none_or(|server| !server.alive), "a living server is ended by a claim alone: {what}");
            }
            Action::Alarm(Alarm::Died) => {
                let mut dead = self.truth.servers.values().filter(|server| !server.alive && !server.claimed);
                // Where nobody knows whether there ever was a server, the safe side is a death.
                assert!(dead.next().is_some() || what.starts_with("Found"), "nobody died unclaimed: {what}");
            }
            Action::Settle { generation, .. } => {
                let server = self.truth.servers.get(&generation.0);
                assert!(server.is_none_or(|server| !server.alive), "only the dead are settled: {what}");
            }
            _ => {}
        }
        self.truth.take(action);
    }

    fn save(&mut self, file: &PeerFile, what: &str) {
        assert!(file.revision > self.disk.revision, "revisions only rise: {what}");
        assert!(file.lives.is_sorted_by_key(|life| life.generation), "the oldest first");
        self.disk = file.clone();
    }

    fn happen(&mut self, (kind, choice): Draw) {
        let well = choice % 4 != 0;
        self.chance = u64::from(choice) << 56;
        let pick = |len: usize| usize::from(choice) % len.max(1);
        let live = self.state.live().map(|live| live.generation);
        match kind {
            0 | 1 => self.decide(Input::Start),
            2 => self.decide(Input::Stop { why: "stop" }),
            3 => self.decide(Input::Restart),
            4 => self.decide(Input::Reset),
            5..=9 if !self.truth.pending.is_empty() => {
                let pending = self.truth.pending.remove(pick(self.truth.pending.len()));
                self.land(pending, well);
            }
            10 | 11 => {
                if let Some(g) = self.truth.alive() {
                    self.truth.kill(g);
                }
            }
            12 => {
                if let Some(g) = self.truth.alive() {
                    self.truth.kill_canary(g);
                }
            }
            13 | 14 if !self.truth.untold.is_empty() => {
                let told = self.truth.untold.remove(pick(self.truth.untold.len()));
                self.tell(told);
            }
            15 => self.leave(choice),
            16 => self.decide(Input::Ready(live.unwrap_or_default())),
            17 => self.decide(Input::Attention(live.unwrap_or_default(), "trust".into())),
            18 => self.decide(Input::Reachable(live.unwrap_or_default(), well)),
            19 => self.decide(Input::SocketLost),
            20 => self.wake(),
            21 => self.decide(stale(choice, live)),
            22 => self.crash(choice, choice % 8 == 0),
            23 => self.truth.stranger = choice % 3 == 0,
            24 => self.decide(Input::Wake(Wanted::ByPerson)),
            25 | 26 => self.fall_idle(),
            27 => self.decide(Input::Delivered(live.unwrap_or_default())),
            28 => self.decide(Input::TakeUp),
            29 => self.decide(Input::Given(live.unwrap_or_default(), well.then(|| choice.to_string()))),
            30 => self.decide(Input::Replied(live.unwrap_or_default())),
            31 => self.decide(Input::Done(live.filter(|_| well))),
            32 => self.decide(Input::Refresh),
            33 => self.decide(Input::Wake(Wanted::ForMessage { topic: well.then(|| choice.to_string()) })),
            _ => self.now_ms += u64::from(choice) * 1_000,
        }
    }

    fn land(&mut self, pending: super::truth::Pending, well: bool) {
        self.stopped &= well; // an end that failed takes a stop back
        if let Some(report) = self.truth.land(pending, well) {
            self.decide(report);
        }
    }

    fn tell(&mut self, (g, is_server): (u64, bool)) {
        let g = Generation(g);
        self.decide(if is_server { Input::ServerEnded(g, KILLED) } else { Input::CanaryEnded(g) });
    }

    /// The program leaves its session, and the hook reports it where no claim stands.
    fn leave(&mut self, choice: u8) {
        let Some(g) = self.truth.alive() else { return };
        let server = self.truth.servers.get_mut(&g).expect("it is alive");
        if server.session && !server.claimed && server.exited.is_none() {
            let exit = [SessionExit::Status(0), SessionExit::Status(3), SessionExit::Killed][usize::from(choice) % 3];
            server.exited = Some(exit);
            self.decide(Input::SessionExited(Generation(g), exit));
        }
    }

    fn wake(&mut self) {
        if let Some(until_boot_ms) = self.truth.wakes.pop_first() {
            self.now_ms = self.now_ms.max(until_boot_ms);
            self.decide(Input::Due { until_boot_ms });
        }
    }

    /// Nothing is seen of its program for as long as was asked; whoever watched hears of it only while it is up.
    fn fall_idle(&mut self) {
        let up = self.state.live().filter(|live| live.stage == Stage::Up).map(|live| live.generation.0);
        if let Some((g, after_ms)) = self.truth.idle.take()
            && up == Some(g)
        {
            self.now_ms += after_ms;
            self.decide(Input::Idle(Generation(g)));
            let again = self.truth.idle.is_some();
            assert!(again || self.state.live().is_none_or(|live| live.stage != Stage::Up), "it is watched, or sleeps");
        }
    }

    /// The actor dies with everything that it knew; what it had set going lands. Its successor reads the file.
    fn crash(&mut self, choice: u8, host: bool) {
        for (at, pending) in std::mem::take(&mut self.truth.pending).into_iter().enumerate() {
            let well = (choice >> (at % 8)) & 1 == 0;
            if !matches!(pending, super::truth::Pending::Settle(_)) {
                let _nobody_hears = self.truth.land(pending, well);
            }
        }
        self.truth.pending.clear();
        self.truth.untold.clear();
        self.truth.wakes.clear();
        self.truth.idle = None;
        if host {
            self.restart_host();
        }
        self.state = PeerState::resting(self.disk.clone(), self.now_ms);
        let wanted_up = self.disk.desired == Desired::Up;
        for life in self.disk.lives.clone() {
            let found = self.truth.find(life.generation.0);
            self.decide(Input::Found(life.generation, found));
        }
        if wanted_up && self.state.at_rest() {
            self.decide(Input::TakeUp);
        }
    }

    fn restart_host(&mut self) {
        self.rules.boot_id.push('+');
        for (g, server) in &mut self.truth.servers {
            let seen = |phase| self.disk.lives.iter().any(|life| life.generation.0 == *g && life.phase == phase);
            server.unrecorded &= seen(LifePhase::Dead);
            (server.alive, server.canary, server.clean) = (false, false, true);
        }
        self.truth.stranger = false;
    }

    /// Everything lands, well; every wait ends; and then nothing is left over.
    fn settle_down(&mut self) {
        self.truth.stranger = false;
        for _ in 0..1_000 {
            if let Some(told) = self.truth.untold.pop() {
                self.tell(told);
            } else if let Some(pending) = self.truth.pending.pop() {
                self.land(pending, true);
            } else if !self.truth.wakes.is_empty() {
                self.wake();
            } else if let Some(silent) = self.state.live().filter(|live| live.unreachable) {
                self.decide(Input::Reachable(silent.generation, true));
            } else {
                return self.check_rest();
            }
        }
        panic!("it never comes to rest: {:?}", self.state.phase);
    }

    fn check_rest(&self) {
        match &self.state.phase {
            Phase::Live(live) => {
                assert!(matches!(live.stage, Stage::Booting | Stage::Up | Stage::NeedsAttention { .. }), "{live:?}");
                assert_eq!(self.truth.alive(), Some(live.generation.0));
                let server = &self.truth.servers[&live.generation.0];
                assert!(server.session && server.exited.is_none(), "what is up has its program: {server:?}");
                let armed = matches!(live.canary, CanaryWatch::Armed { .. });
                assert!(armed == server.canary && (armed || live.canary == CanaryWatch::Failed), "{:?}", live.canary);
                assert!(live.ending.is_none() && !self.stopped, "a stop that was accepted is carried out");
                assert!(live.stage != Stage::Up || self.truth.idle.is_some(), "it can fall asleep");
                assert_eq!(self.state.file.lives.len(), 1, "every other life is settled");
            }
            Phase::Blocked => {}
            _ => {
                assert!(self.state.at_rest(), "{:?}", self.state);
                assert_eq!(self.truth.alive(), None);
            }
        }
        let unsettled = |g: &u64| self.state.file.lives.iter().any(|life| life.generation.0 == *g);
        for (g, server) in self.truth.servers.iter().filter(|(g, _)| !unsettled(g)) {
            assert!(!server.unrecorded, "the death of {g} is on no record");
            assert!(server.records <= 1, "the death of {g} is on record twice");
            assert!(server.records == 0 || !server.claimed, "{g} was claimed and is on record");
        }
        assert!(self.state.owed.is_empty() || self.state.phase == Phase::Blocked);
        assert_eq!(self.disk, self.state.file, "what is known is on disk");
    }
}

/// A report about a life that is not in hand.
fn stale(choice: u8, live: Option<Generation>) -> Input {
    let g = Generation(u64::from(choice) % 7 + if live.is_some() { 1_000 } else { 0 });
    match choice % 8 {
        0 => Input::ServerEnded(Generation(g.0 + 1_000), KILLED),
        1 => Input::Ended(g, Ok(LifeEnd::AlreadyDead)),
        2 => Input::StartFailed(g, FleetError::Internal("late".into())),
        3 => Input::SessionOpened(g),
        4 => Input::Swept(Generation(g.0 + 1_000), SweepReport::default()),
        5 => Input::CanaryEnded(g),
        6 => Input::SessionExited(g, SessionExit::Status(3)),
        _ => Input::Due { until_boot_ms: 7 },
    }
}

fn policy() -> impl Strategy<Value = RestartPolicy> {
    prop_oneof![Just(RestartPolicy::OnFailure), Just(RestartPolicy::Always), Just(RestartPolicy::Never)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_promises_hold(
        policy in policy(),
        ephemeral in any::<bool>(),
        draws in prop::collection::vec((0..=KINDS, any::<u8>()), 0..120),
    ) {
        let mut model = Model::new(policy, ephemeral);
        assert_eq!(model.rules.boot_id, BOOT);
        for draw in draws {
            model.happen(draw);
            model.check_nobody_is_forgotten(draw);
        }
        model.settle_down();
    }
}
