//! The decisions of a peer: `step(state, input, now, chance, rules) -> (state, actions)`. Pure.
//!
//! Requests are decided in `requests.rs`, the way up in `starting.rs`, every kind of end in `ending.rs`, what follows
//! a death in `rearming.rs`, sleep in `idling.rs`, and what an earlier actor or daemon left in `adopting.rs`.
//! A message about another life than the one in hand is stale and changes nothing.

use super::{
    adopting, ending,
    file::LifePhase,
    idling,
    input::{Action, Input, PeerRules},
    phase::{Live, PeerState, Phase, Stage},
    rearming, requests, starting,
};
use crate::{journal::Draft, names::Generation, ports::Moment};

/// Decides what `input` means at `now`. `chance` is any number: what is left to chance is decided by it.
pub fn step(state: PeerState, input: Input, now: Moment, chance: u64, rules: &PeerRules) -> (PeerState, Vec<Action>) {
    let mut turn = Turn { state, actions: Vec::new(), now, chance, rules };
    match input {
        Input::Start => requests::start(&mut turn),
        Input::Wake(wanted) => requests::wake(&mut turn, wanted),
        Input::Stop { why } => requests::stop(&mut turn, why),
        Input::Restart => requests::restart(&mut turn),
        Input::Refresh => requests::refresh(&mut turn),
        Input::Done(by) => requests::done(&mut turn, by),
        Input::Reset => requests::reset(&mut turn),
        Input::TakeUp => adopting::take_up(&mut turn),
        Input::Found(generation, found) => adopting::found(&mut turn, generation, found),
        Input::ServerStarted(generation, server) => starting::server_started(&mut turn, generation, server),
        Input::CanaryArmed(generation, canary) => starting::canary_armed(&mut turn, generation, canary),
        Input::CanaryFailed(generation, error) => starting::canary_failed(&mut turn, generation, &error),
        Input::SessionOpened(generation) => starting::session_opened(&mut turn, generation),
        Input::SessionSeen(generation, seen) => starting::session_seen(&mut turn, generation, seen),
        Input::StartFailed(generation, error) => starting::start_failed(&mut turn, generation, &error),
        Input::Ready(generation) => starting::ready(&mut turn, generation),
        Input::Attention(generation, what) => starting::attention(&mut turn, generation, what),
        Input::Answered(generation, what) => starting::answered(&mut turn, generation, what),
        Input::Due { until_boot_ms } => rearming::due(&mut turn, until_boot_ms),
        Input::Go(generation, incident) => rearming::go(&mut turn, generation, incident),
        Input::Held(generation, incident) => rearming::held(&mut turn, generation, incident),
        Input::Idle(generation) => idling::idle(&mut turn, generation),
        Input::Delivered(generation) => idling::delivered(&mut turn, generation),
        Input::Given(generation, topic) => idling::given(&mut turn, generation, topic),
        Input::Replied(generation) => idling::replied(&mut turn, generation),
        Input::ServerEnded(generation, end) => ending::server_ended(&mut turn, generation, end),
        Input::CanaryEnded(generation) => ending::canary_ended(&mut turn, generation),
        Input::SessionExited(generation, exit) => ending::session_exited(&mut turn, generation, exit),
        Input::Ended(generation, result) => ending::ended(&mut turn, generation, result),
        Input::Swept(generation, report) => ending::swept(&mut turn, generation, &report),
        Input::Settled(generation, settlement) => ending::settled(&mut turn, generation, &settlement),
        Input::RecordOwed(generation, why) => ending::record_owed(&mut turn, generation, why),
        Input::Reachable(generation, answers) => reachable(&mut turn, generation, answers),
        Input::SocketLost => socket_lost(&mut turn),
        Input::SocketHealed(generation) => turn.tell(Draft::new("socket-healed").with("gen", generation)),
    }
    (turn.state, turn.actions)
}

/// A server that does not answer is neither alive nor dead: it is marked, and asked until it answers.
pub(super) fn reachable(turn: &mut Turn<'_>, generation: Generation, answers: bool) {
    let Some(live) = turn.live_of(generation) else { return };
    if live.unreachable != answers {
        return;
    }
    live.unreachable = !answers;
    turn.tell(Draft::new(if answers { "reachable" } else { "unreachable" }).with("gen", generation));
    turn.act(match answers {
        true => Action::LookAtSession(generation), // what it did meanwhile, nobody saw
        false => Action::ProbeUntilReachable(generation),
    });
}

/// A deliberate end removes the socket itself; every other live server makes it again.
fn socket_lost(turn: &mut Turn<'_>) {
    match turn.state.live() {
        Some(Live { stage: Stage::Stopping { .. }, .. }) | None => {}
        Some(&Live { generation, server, .. }) => {
            if server.is_some() {
                turn.act(Action::HealSocket(generation));
            }
        }
    }
}

/// One decision in the making.
pub(super) struct Turn<'a> {
    pub(super) state: PeerState,
    pub(super) actions: Vec<Action>,
    pub(super) now: Moment,
    pub(super) chance: u64,
    pub(super) rules: &'a PeerRules,
}

impl Turn<'_> {
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Tells the journal, with the identity in front.
    pub(super) fn tell(&mut self, draft: Draft) {
        let draft = draft.about(&self.rules.identity);
        self.act(Action::Tell(draft));
    }

    /// Moves to another phase and notes since when.
    pub(super) fn enter(&mut self, phase: Phase, note: impl Into<String>) {
        self.state.phase = phase;
        self.state.since_boot_ms = self.now.boot_ms;
        self.state.note = note.into();
    }

    /// The life in hand, if it is this one.
    pub(super) fn live_of(&mut self, generation: Generation) -> Option<&mut Live> {
        match &mut self.state.phase {
            Phase::Live(live) if live.generation == generation => Some(live),
            _ => None,
        }
    }

    /// The state to be written next; a later one has a higher revision.
    pub(super) fn file(&mut self) -> super::file::PeerFile {
        self.state.file.revision += 1;
        self.state.file.clone()
    }

    pub(super) fn save(&mut self) {
        let file = self.file();
        self.act(Action::Save(file));
    }

    /// Notes in the file how far a life came.
    pub(super) fn mark(&mut self, generation: Generation, change: impl FnOnce(&mut super::file::Life)) {
        if let Some(life) = self.state.file.lives.iter_mut().find(|life| life.generation == generation) {
            change(life);
        }
    }

    pub(super) fn mark_phase(&mut self, generation: Generation, phase: LifePhase) {
        self.mark(generation, |life| life.phase = phase);
    }
}
