//! Every way down: a claimed end, an unclaimed death, a program that left; and what follows each.

use super::{
    file::LifePhase,
    idling,
    input::{Action, Alarm, SessionExit},
    phase::{CanaryWatch, Next, Phase, Rest, Stage},
    rearming,
    restart_policy::RestartPolicy,
    starting::{self, CANARY_FAILURES_MAX, CANARY_HEALTHY_AFTER_MS},
    step::Turn,
};
use crate::{
    error::FleetError,
    journal::Draft,
    names::Generation,
    ports::{Claim, LifeEnd, ProcessEnd, Settlement, SweepReport, Then},
};

/// Wait before an end that the fleet decided, and that could not be claimed, is tried again.
const END_RETRY_MS: u64 = 5_000;

/// Who asks for an end: a person, or the fleet by its own rules.
pub(super) const BY_OPERATOR: &str = "operator";
pub(super) const BY_FLEET: &str = "fleet";
/// The peer itself, from inside the life that is to end.
pub(super) const BY_PEER: &str = "peer";

/// What a claim says of a peer that is put to sleep.
pub(super) const WHY_IDLE: &str = "idle";
/// What it says where a life's one task is done.
pub(super) const WHY_TASK_OVER: &str = "task-over";
/// What a claim says where a program has left its session.
pub(super) const WHY_SESSION_EXIT: &str = "session-exit";

/// The written intent of an end.
pub(super) fn claim(why: &str, by: &str, next: Next) -> Claim {
    let then = if next.is_life() { Then::Start } else { Then::Stop };
    Claim { why: why.into(), by: by.into(), then }
}

/// Ends the life in hand on purpose: now, or after the step that is under way.
pub(super) fn end(turn: &mut Turn<'_>, claim: Claim, next: Next) {
    let Phase::Live(live) = &mut turn.state.phase else { return };
    // What was accepted is durable, also where it waits: the next daemon would start it up again otherwise.
    turn.state.file.plan(next);
    match live.stage {
        // It is ending already; only what follows may change.
        Stage::Stopping { .. } => turn.state.follow_with(next),
        // The step of the start that is under way reports in a moment.
        Stage::Server | Stage::Canary | Stage::Session { .. } => {
            live.ending = Some((claim, next));
            turn.save();
        }
        Stage::Unsure | Stage::Booting | Stage::Up | Stage::NeedsAttention { .. } => end_now(turn, claim, next),
    }
}

/// Ends the life in hand; nothing else of it is under way that could be cut in half.
pub(super) fn end_now(turn: &mut Turn<'_>, claim: Claim, next: Next) {
    let Phase::Live(live) = &mut turn.state.phase else { return };
    let generation = live.generation;
    let back = Box::new(live.stage.clone());
    live.stage = Stage::Stopping { next, back, claim: claim.clone(), retry_boot_ms: None };
    turn.state.file.plan(next);
    turn.state.since_boot_ms = turn.now.boot_ms;
    turn.mark_phase(generation, LifePhase::Stopping);
    turn.tell(Draft::new("stopping").with("gen", generation).with("why", &claim.why).with("by", &claim.by));
    turn.save();
    turn.act(Action::EndLife(generation, claim));
}

/// Carries out an end that waited for a step of the start; says whether there was one.
pub(super) fn carry_out(turn: &mut Turn<'_>) -> bool {
    let Phase::Live(live) = &mut turn.state.phase else { return false };
    let Some((claim, next)) = live.ending.take() else { return false };
    end_now(turn, claim, next);
    true
}

pub(super) fn server_ended(turn: &mut Turn<'_>, generation: Generation, end: ProcessEnd) {
    let Some(live) = turn.live_of(generation) else { return };
    live.server = None;
    if let Stage::Stopping { .. } = live.stage {
        // Expected; the end's own report says whether the claim held, and may want to know how it ended.
        live.ended = Some(end);
        return;
    }
    let ending = live.ending.take();
    turn.act(Action::Alarm(Alarm::Died));
    death(turn, generation, end);
    let next = match ending {
        Some((_, next)) => next,
        None => rearming::count(turn, generation, &starting::describe(end)),
    };
    clear(turn, generation, next);
}

/// An unclaimed death, as the daemon saw it: it is told, and its record is found or made.
pub(super) fn death(turn: &mut Turn<'_>, generation: Generation, end: ProcessEnd) {
    let Some(life) = turn.state.file.lives.iter_mut().find(|life| life.generation == generation) else { return };
    let (server, canary, started_boot_ms) = (life.server, life.canary, life.started_boot_ms);
    // One that is found again with its record still owed was told before.
    if life.phase != LifePhase::Dead {
        life.phase = LifePhase::Dead;
        turn.tell(Draft::new("death").with("gen", generation).with("status", end));
    }
    turn.act(Action::Settle { generation, server, canary, end, started_boot_ms });
}

/// Sweeps what the dead server left behind; `next` comes when that is done.
pub(super) fn clear(turn: &mut Turn<'_>, generation: Generation, next: Next) {
    turn.state.file.plan(next);
    let note = std::mem::take(&mut turn.state.note);
    turn.enter(Phase::Clearing { generation, next }, note);
    turn.act(Action::Sweep(generation));
    turn.save();
}

/// A canary that is gone while its server lives gets a successor at once.
pub(super) fn canary_ended(turn: &mut Turn<'_>, generation: Generation) {
    let now = turn.now.boot_ms;
    let Some(live) = turn.live_of(generation) else { return };
    if matches!(live.stage, Stage::Stopping { .. }) {
        live.canary = CanaryWatch::Dismissed; // should the end fail, its server needs another one
        return;
    }
    let (CanaryWatch::Armed { since_boot_ms, failures, .. }, Some(server)) = (live.canary, live.server) else { return };
    let failures = if now.saturating_sub(since_boot_ms) < CANARY_HEALTHY_AFTER_MS { failures + 1 } else { 0 };
    if failures >= CANARY_FAILURES_MAX {
        let why = FleetError::Internal(format!("{failures} canaries in a row ended at once"));
        return starting::unwatched(turn, generation, &why);
    }
    live.canary = CanaryWatch::Arming { failures };
    turn.act(Action::ArmCanary(generation, server));
}

/// The program left, or its session was closed: the server is ended, claimed, and the policy decides the rest.
pub(super) fn session_exited(turn: &mut Turn<'_>, generation: Generation, exit: SessionExit) {
    let Some(live) = turn.live_of(generation) else { return };
    if let Stage::Stopping { claim, .. } = &mut live.stage {
        nothing_to_go_on_with(claim);
        return;
    }
    if let Some((claim, _)) = &mut live.ending {
        nothing_to_go_on_with(claim);
        return;
    }
    let was_up = live.stage == Stage::Up;
    if !was_up && turn.state.file.lives.iter().any(|life| life.generation == generation && life.resumed) {
        // It may have left because there was nothing to go on with.
        turn.state.file.resume = false;
    }
    let content = exit == SessionExit::Status(0) && turn.rules.restart != RestartPolicy::Always;
    let next = if content {
        turn.state.note = exit.to_string();
        // What has one task may well leave when that is done: it is there for the next one.
        Next::Rest(if was_up && turn.rules.one_task.is_some() { Rest::Asleep } else { Rest::Stopped })
    } else {
        rearming::count(turn, generation, &exit.to_string())
    };
    end(turn, claim(WHY_SESSION_EXIT, BY_FLEET, next), next);
}

/// The program has left: should this end fail, it is the fleet's own now, and tried until it works.
fn nothing_to_go_on_with(claim: &mut Claim) {
    claim.by = BY_FLEET.into();
    if is_sleep(claim) {
        claim.why = WHY_SESSION_EXIT.into();
    }
}

/// Whether the life could go on as well as end.
fn is_sleep(claim: &Claim) -> bool {
    claim.why == WHY_IDLE || claim.why == WHY_TASK_OVER
}

/// A death that nobody meant, while the end was under way: there is nothing to go on with.
fn lose_session(turn: &mut Turn<'_>, generation: Generation) {
    let was_up = turn.state.file.lives.iter().any(|life| life.generation == generation && life.up_boot_ms.is_some());
    turn.state.file.resume &= !was_up;
}

pub(super) fn ended(turn: &mut Turn<'_>, generation: Generation, result: Result<LifeEnd, FleetError>) {
    let Some(live) = turn.live_of(generation) else { return };
    let Stage::Stopping { next, back, claim, retry_boot_ms: None } = live.stage.clone() else { return };
    let server_end = live.ended;
    match result {
        Ok(LifeEnd::Claimed(report)) => {
            turn.state.file.lives.retain(|life| life.generation != generation);
            turn.tell(
                Draft::new("ended")
                    .with("gen", generation)
                    .with("rungs", report.rungs.join(","))
                    .with("swept", report.sweep.swept.len())
                    .with("escaped", report.sweep.escaped.len()),
            );
            turn.state.last_end = Some(report);
            proceed(turn, next);
        }
        // Dead before the claim held: nobody meant this death, so it is recorded; what was asked for follows.
        Ok(LifeEnd::AlreadyDead) => {
            turn.state.last_end = None;
            turn.act(Action::Alarm(Alarm::Died));
            lose_session(turn, generation);
            death(turn, generation, server_end.unwrap_or(ProcessEnd::Vanished));
            clear(turn, generation, next);
        }
        Err(error) => {
            turn.tell(Draft::new("end-failed").with("gen", generation).with("reason", error.chain()));
            turn.state.note = error.chain();
            if server_end.is_none() {
                // Whoever waits for this end, or for the life after it, hears now what was in the way.
                turn.state.wish.failed = Some(error);
            }
            if let Some(end) = server_end {
                // It died after all; the claim may or may not stand, and the record's maker looks.
                lose_session(turn, generation);
                death(turn, generation, end);
                clear(turn, generation, next);
            } else if claim.by == BY_FLEET && !is_sleep(&claim) {
                // Its program has left, or never began: there is nothing to go on with.
                wait_for_another_try(turn);
            } else {
                go_on(turn, generation, *back);
            }
        }
    }
}

/// An end that the fleet decided is tried until it works.
fn wait_for_another_try(turn: &mut Turn<'_>) {
    let until_boot_ms = turn.now.boot_ms + END_RETRY_MS;
    let Phase::Live(live) = &mut turn.state.phase else { return };
    if let Stage::Stopping { retry_boot_ms, .. } = &mut live.stage {
        *retry_boot_ms = Some(until_boot_ms);
        turn.act(Action::WakeAt { until_boot_ms });
    }
}

pub(super) fn try_again(turn: &mut Turn<'_>, until_boot_ms: u64) {
    let Phase::Live(live) = &mut turn.state.phase else { return };
    let generation = live.generation;
    match &mut live.stage {
        Stage::Stopping { claim, retry_boot_ms, .. } if *retry_boot_ms == Some(until_boot_ms) => {
            *retry_boot_ms = None;
            let claim = claim.clone();
            turn.act(Action::EndLife(generation, claim));
        }
        _ => {}
    }
}

/// Without a claim on disk nothing was killed: the life goes on as it was, with what its end had interrupted.
pub(super) fn go_on(turn: &mut Turn<'_>, generation: Generation, stage: Stage) {
    let Some(live) = turn.live_of(generation) else { return };
    live.stage = stage.clone();
    let silent = live.unreachable;
    if let (CanaryWatch::Dismissed, Some(server)) = (live.canary, live.server) {
        live.canary = CanaryWatch::Arming { failures: 0 };
        turn.act(Action::ArmCanary(generation, server));
    }
    let phase = match stage {
        Stage::Session { .. } => {
            starting::open_session(turn, generation);
            LifePhase::Starting
        }
        // A silent server is asked for its session when it answers.
        Stage::Unsure if silent => LifePhase::Starting,
        Stage::Unsure => {
            turn.act(Action::LookAtSession(generation));
            LifePhase::Starting
        }
        Stage::Booting => {
            turn.act(Action::WatchScreen(generation));
            LifePhase::Starting
        }
        Stage::NeedsAttention { .. } => {
            turn.act(Action::WatchScreen(generation));
            LifePhase::NeedsAttention
        }
        Stage::Up => {
            // It was not ended after all.
            (turn.state.file.resume, turn.state.file.wanted) = (false, None);
            idling::watch(turn, generation);
            LifePhase::Up
        }
        Stage::Server | Stage::Canary | Stage::Stopping { .. } => LifePhase::Up,
    };
    turn.mark_phase(generation, phase);
    turn.state.file.plan(Next::Start);
    turn.save();
}

pub(super) fn swept(turn: &mut Turn<'_>, generation: Generation, report: &SweepReport) {
    if !report.swept.is_empty() || !report.escaped.is_empty() {
        let list = |pids: &[i32]| pids.iter().map(i32::to_string).collect::<Vec<_>>().join(",");
        turn.tell(
            Draft::new("swept")
                .with("gen", generation)
                .with("swept", list(&report.swept))
                .with("escaped", list(&report.escaped)),
        );
    }
    if let Phase::Clearing { generation: cleared, next } = turn.state.phase
        && cleared == generation
    {
        proceed(turn, next);
    }
}

/// What comes after an end, now that nothing of the old life is left.
pub(super) fn proceed(turn: &mut Turn<'_>, next: Next) {
    match next {
        Next::Start => starting::begin(turn, None),
        Next::Rearm { at_boot_ms } => rearming::rearm(turn, at_boot_ms),
        Next::Rest(rest) => {
            turn.state.file.plan(next);
            turn.state.file.wanted = None;
            let note = std::mem::take(&mut turn.state.note);
            turn.enter(rest.into(), note);
            // A quarantine was told when it was decided, with its numbers.
            if rest != Rest::Quarantined {
                turn.tell(Draft::new(rest.name().as_str()));
            }
            turn.save();
        }
    }
}

/// The death is accounted for: its life leaves the file.
pub(super) fn settled(turn: &mut Turn<'_>, generation: Generation, settlement: &Settlement) {
    turn.state.owed.remove(&generation);
    if !turn.state.owes_record_of(generation) {
        return;
    }
    turn.state.file.lives.retain(|life| life.generation != generation);
    if *settlement == Settlement::Claimed {
        turn.tell(Draft::new("claimed").with("gen", generation));
    }
    turn.save();
}

/// A record can not be written yet; it is told once, and again when the reason is another.
pub(super) fn record_owed(turn: &mut Turn<'_>, generation: Generation, why: String) {
    if !turn.state.owes_record_of(generation) || turn.state.owed.get(&generation) == Some(&why) {
        return;
    }
    turn.tell(Draft::new("record-owed").with("gen", generation).with("reason", &why));
    turn.state.owed.insert(generation, why);
}
