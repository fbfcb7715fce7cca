//! The way up: server, canary, session, readiness; one step at a time, each durable or reported before the next.

use super::{
    beginning,
    ending::{self, BY_FLEET, claim},
    file::{Life, LifePhase},
    idling,
    input::{Action, SessionExit},
    phase::{CanaryWatch, Live, Next, Phase, Stage},
    rearming::{back_off, count, forget_other_boots},
    step::{self, Turn},
};
use crate::{
    error::FleetError,
    journal::Draft,
    names::Generation,
    ports::{FoundSession, ProcessEnd, ProcessId},
};

/// A canary that ends sooner than this after it was armed counts as one that can not be armed.
pub(super) const CANARY_HEALTHY_AFTER_MS: u64 = 1_000;
/// Armings in a row that may fail before a server is left unwatched.
pub(super) const CANARY_FAILURES_MAX: u32 = 5;
/// First and longest wait between attempts when nothing could be started at all.
const ATTEMPT_DELAY_MS: u64 = 1_000;
const ATTEMPT_DELAY_MS_MAX: u64 = 60_000;

/// Begins the next life; `incident` is the one that had held it back.
pub(super) fn begin(turn: &mut Turn<'_>, incident: Option<String>) {
    forget_other_boots(turn);
    let beginning = beginning::decide(&turn.state.file, turn.rules);
    let generation = turn.state.file.highest.next();
    let file = &mut turn.state.file;
    file.highest = generation;
    file.plan(Next::Start);
    file.lives.push(Life {
        generation,
        boot_id: turn.rules.boot_id.clone(),
        phase: LifePhase::Starting,
        started_boot_ms: turn.now.boot_ms,
        up_boot_ms: None,
        command: turn.rules.command.clone(),
        held_by: turn.rules.held_by.clone(),
        resumed: beginning.resumes,
        replied: false,
        server: None,
        canary: None,
    });
    turn.enter(
        Phase::Live(Box::new(Live {
            generation,
            stage: Stage::Server,
            started_boot_ms: turn.now.boot_ms,
            server: None,
            ended: None,
            canary: CanaryWatch::Arming { failures: 0 },
            active_boot_ms: turn.now.boot_ms,
            unreachable: false,
            ending: None,
        })),
        "",
    );
    let draft = Draft::new("starting").with("gen", generation);
    let draft = draft.with("begins", beginning.word()).with("because", beginning.because);
    turn.tell(match incident {
        Some(incident) => draft.with("incident", incident),
        None => draft,
    });
    let file = turn.file();
    turn.act(Action::StartServer(generation, file));
}

pub(super) fn server_started(turn: &mut Turn<'_>, generation: Generation, server: ProcessId) {
    let Some(live) = turn.live_of(generation) else { return };
    if live.stage != Stage::Server {
        return;
    }
    live.server = Some(server);
    live.stage = Stage::Canary;
    turn.state.failed_attempts = 0;
    turn.mark(generation, |life| life.server = Some(server));
    turn.save();
    turn.act(Action::ArmCanary(generation, server));
}

pub(super) fn canary_armed(turn: &mut Turn<'_>, generation: Generation, canary: ProcessId) {
    let now = turn.now.boot_ms;
    let Some(live) = turn.live_of(generation) else { return };
    let CanaryWatch::Arming { failures } = live.canary else { return };
    live.canary = CanaryWatch::Armed { process: canary, since_boot_ms: now, failures };
    let origin = origin(live);
    turn.mark(generation, |life| life.canary = Some(canary));
    turn.save();
    turn.tell(
        Draft::new("canary")
            .with("gen", generation)
            .with("state", "spawned")
            .with("origin", origin)
            .with("pid", canary.pid),
    );
    after_canary(turn, generation);
}

pub(super) fn canary_failed(turn: &mut Turn<'_>, generation: Generation, error: &FleetError) {
    if turn.live_of(generation).is_some_and(|live| matches!(live.canary, CanaryWatch::Arming { .. })) {
        unwatched(turn, generation, error);
    }
}

/// A server without a canary is marked `unwatched`: the daemon alone watches it.
pub(super) fn unwatched(turn: &mut Turn<'_>, generation: Generation, error: &FleetError) {
    let Some(live) = turn.live_of(generation) else { return };
    live.canary = CanaryWatch::Failed;
    let origin = origin(live);
    turn.tell(
        Draft::new("canary")
            .with("gen", generation)
            .with("state", "failed")
            .with("origin", origin)
            .with("reason", error.chain()),
    );
    after_canary(turn, generation);
}

fn origin(live: &Live) -> &'static str {
    if live.stage == Stage::Canary { "launch" } else { "retrofit" }
}

fn after_canary(turn: &mut Turn<'_>, generation: Generation) {
    let Some(live) = turn.live_of(generation) else { return };
    if live.stage != Stage::Canary {
        return; // a retrofit: everything else goes on as it was
    }
    live.stage = Stage::Session { ready: false };
    if !ending::carry_out(turn) {
        open_session(turn, generation);
    }
}

/// A life goes on with the last conversation where that was decided when it began.
pub(super) fn open_session(turn: &mut Turn<'_>, generation: Generation) {
    let resume = turn.state.file.lives.iter().any(|life| life.generation == generation && life.resumed);
    turn.act(Action::OpenSession { generation, resume });
}

pub(super) fn session_opened(turn: &mut Turn<'_>, generation: Generation) {
    let Some(live) = turn.live_of(generation) else { return };
    let Stage::Session { ready: early } = live.stage else { return };
    live.stage = Stage::Booting;
    if ending::carry_out(turn) {
        return;
    }
    turn.act(Action::WatchScreen(generation));
    if early {
        ready(turn, generation);
    }
}

/// A server that was silent answers again: the start goes on where it stood, or what ended meanwhile is noticed.
pub(super) fn session_seen(turn: &mut Turn<'_>, generation: Generation, seen: FoundSession) {
    let Some(live) = turn.live_of(generation) else { return };
    match (&live.stage, seen) {
        (Stage::Server | Stage::Canary | Stage::Session { .. } | Stage::Stopping { .. }, _) => {}
        (_, FoundSession::Silent) => step::reachable(turn, generation, false),
        (_, FoundSession::Exited(exit)) => ending::session_exited(turn, generation, exit),
        (Stage::Unsure, FoundSession::Missing) => {
            live.stage = Stage::Session { ready: false };
            open_session(turn, generation);
        }
        (Stage::Unsure, FoundSession::Open) => {
            live.stage = Stage::Booting;
            turn.act(Action::WatchScreen(generation));
        }
        (_, FoundSession::Missing) => ending::session_exited(turn, generation, SessionExit::Killed),
        (_, FoundSession::Open) => {}
    }
}

pub(super) fn ready(turn: &mut Turn<'_>, generation: Generation) {
    let now = turn.now.boot_ms;
    let Some(live) = turn.live_of(generation) else { return };
    match &mut live.stage {
        // Who says that he is ready runs, whatever his server says.
        Stage::Unsure | Stage::Booting | Stage::NeedsAttention { .. } => {}
        Stage::Session { ready } => {
            *ready = true;
            return;
        }
        _ => return,
    }
    live.stage = Stage::Up;
    live.active_boot_ms = now;
    let took_ms = now.saturating_sub(live.started_boot_ms);
    turn.state.since_boot_ms = now;
    turn.state.note.clear();
    let mut resumed = false;
    turn.mark(generation, |life| {
        (life.phase, life.up_boot_ms) = (LifePhase::Up, Some(now));
        resumed = life.resumed;
    });
    // Only now: a wake that fails leaves what there was to go on with, and why it was wanted.
    (turn.state.file.resume, turn.state.file.wanted) = (false, None);
    if !resumed {
        turn.state.file.topics.clear();
    }
    turn.tell(Draft::new("up").with("gen", generation).with("ms", took_ms));
    turn.save();
    idling::watch(turn, generation);
}

/// A dialog is a state, not a death: nothing is typed, nothing runs out.
pub(super) fn attention(turn: &mut Turn<'_>, generation: Generation, what: String) {
    let now = turn.now.boot_ms;
    let Some(live) = turn.live_of(generation) else { return };
    match &live.stage {
        Stage::Booting => {}
        Stage::NeedsAttention { what: before } if *before != what => {}
        _ => return,
    }
    live.stage = Stage::NeedsAttention { what: what.clone() };
    turn.state.since_boot_ms = now;
    turn.state.note.clone_from(&what);
    turn.mark_phase(generation, LifePhase::NeedsAttention);
    turn.tell(Draft::new("needs-attention").with("gen", generation).with("what", what));
    turn.save();
}

/// Somebody's configuration answered a dialog: whoever reads on must find that it was not a person.
pub(super) fn answered(turn: &mut Turn<'_>, generation: Generation, what: String) {
    if turn.live_of(generation).is_some() {
        turn.tell(Draft::new("dialog-answered").with("gen", generation).with("what", what));
    }
}

/// A start that failed with its server alive is ended and counts as a death. Where nothing was started there is
/// no life to account for: the fleet tries again by itself, later each time, and nothing is counted.
pub(super) fn start_failed(turn: &mut Turn<'_>, generation: Generation, error: &FleetError) {
    let Some(live) = turn.live_of(generation) else { return };
    if !matches!(live.stage, Stage::Server | Stage::Session { .. }) {
        return;
    }
    if live.server.is_some() && matches!(error, FleetError::ServerSilent { .. }) {
        return session_unknown(turn, generation);
    }
    let why = error.chain();
    turn.tell(Draft::new("start-failed").with("gen", generation).with("reason", &why));
    // What was asked for meanwhile, or what the program's exit led to, stands: nothing is counted, or twice.
    let Some(live) = turn.live_of(generation) else { return };
    if live.server.is_some() {
        if !ending::carry_out(turn) {
            let next = count(turn, generation, &why);
            ending::end_now(turn, claim("boot-failed", BY_FLEET, next), next);
        }
        return;
    }
    let ending = live.ending.take();
    turn.state.file.lives.retain(|life| life.generation != generation);
    match (ending, error) {
        (Some((_, next @ Next::Rest(_))), _) => {
            turn.state.note = why;
            ending::proceed(turn, next);
        }
        (_, FleetError::LockHeld { .. }) => {
            turn.enter(Phase::Blocked, why);
            turn.save();
        }
        _ => {
            let delay =
                ATTEMPT_DELAY_MS.saturating_mul(1 << turn.state.failed_attempts.min(16)).min(ATTEMPT_DELAY_MS_MAX);
            turn.state.failed_attempts += 1;
            turn.state.note = why;
            back_off(turn, turn.now.boot_ms + delay);
        }
    }
}

/// Slow is not dead, and no failed start either: whether the session was opened is seen when the server answers.
fn session_unknown(turn: &mut Turn<'_>, generation: Generation) {
    let Some(live) = turn.live_of(generation) else { return };
    let ready_already = live.stage == Stage::Session { ready: true };
    live.stage = Stage::Unsure;
    if ending::carry_out(turn) {
        return;
    }
    step::reachable(turn, generation, false);
    if ready_already {
        ready(turn, generation);
    }
}

/// What the end of a server looks like to people.
pub(super) fn describe(end: ProcessEnd) -> String {
    match end {
        ProcessEnd::Exited(status) => format!("its server exited with status {status}"),
        ProcessEnd::Signaled { signal, .. } => format!("its server was killed by signal {signal}"),
        ProcessEnd::Vanished => "its server is gone".into(),
    }
}
