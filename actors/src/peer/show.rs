//! What a peer looks like from outside: its state as a view. Pure.

use super::{
    config::PeerConfig,
    file::Life,
    phase::{CanaryWatch, PeerState, Phase, Stage},
};
use crate::{names::Identity, ports::Moment, view::PeerView};
use jiff::SignedDuration;

/// The view of `state` at `now`.
pub(super) fn show(state: &PeerState, config: &PeerConfig, now: Moment) -> PeerView {
    let identity = config.rules.identity.clone();
    let live = state.live();
    let life = live.and_then(|live| state.file.lives.iter().find(|life| life.generation == live.generation));
    let (command, next_command) = commands(life, config);
    let begun = life.map(|life| life.held_by.as_str()).filter(|held_by| !held_by.is_empty());
    let age_ms = now.boot_ms.saturating_sub(state.since_boot_ms);
    PeerView {
        personality: identity.personality().clone(),
        runtime: identity.runtime().clone(),
        phase: state.phase.name(),
        detail: detail(state, &identity),
        generation: live.map_or(state.file.highest, |live| live.generation),
        since: now.wall - duration(age_ms),
        server_pid: live.and_then(|live| live.server).map(|server| server.pid),
        canary_pid: live.and_then(|live| match live.canary {
            CanaryWatch::Armed { process, .. } => Some(process.pid),
            CanaryWatch::Arming { .. } | CanaryWatch::Dismissed | CanaryWatch::Failed => None,
        }),
        unreachable: live.is_some_and(|live| live.unreachable),
        unwatched: live.is_some_and(|live| live.server.is_some() && live.canary == CanaryWatch::Failed),
        deaths_recent: deaths_recent(state, config, now),
        restarts: state.file.restarts,
        next_try: match state.phase {
            Phase::Backoff { until_boot_ms } => Some(now.wall + duration(until_boot_ms.saturating_sub(now.boot_ms))),
            _ => None,
        },
        last_death: state.file.last_death.clone(),
        last_end: state.last_end.clone(),
        records_owed: state.owed.len(),
        restart: config.rules.restart,
        restart_limit: config.rules.limit,
        idle_after_ms: config.rules.idle_after_ms,
        wake_policy: config.rules.wake_policy(),
        // The mailroom's to say.
        mail: None,
        limits: config.limits,
        sandbox: config.sandbox.view(config.host.as_deref(), begun),
        cwd: config.program.cwd.clone(),
        command,
        next_command,
        policy: config.policy.clone(),
        helper_version: config.helper_version.clone(),
        wish: state.wish.clone(),
        identity,
    }
}

/// What runs, or would run now; and what its next life runs, where that is something else.
fn commands(life: Option<&Life>, config: &PeerConfig) -> (Vec<String>, Option<Vec<String>>) {
    let next = config.program(life.is_some_and(|life| life.resumed)).argv;
    match life {
        Some(life) if !life.command.is_empty() && life.command != config.program.argv => {
            (life.command.clone(), Some(config.program.argv.clone()))
        }
        _ => (next, None),
    }
}

fn duration(ms: u64) -> SignedDuration {
    SignedDuration::from_millis(i64::try_from(ms).unwrap_or(0))
}

/// Those that count now: the ring is trimmed only by the next death.
fn deaths_recent(state: &PeerState, config: &PeerConfig, now: Moment) -> usize {
    let rules = &config.rules;
    let recent = |at: &&u64| now.boot_ms.saturating_sub(**at) < rules.limit.window_ms;
    if state.file.boot_id == rules.boot_id { state.file.deaths_boot_ms.iter().filter(recent).count() } else { 0 }
}

fn detail(state: &PeerState, identity: &Identity) -> String {
    match &state.phase {
        Phase::Queued { incident: Some(incident) } => format!("waits for its turn after {incident}: {}", state.note),
        Phase::Live(live) => match &live.stage {
            Stage::NeedsAttention { what } => what.clone(),
            _ => state.note.clone(),
        },
        // Since an earlier daemon: what it died of is in the records.
        Phase::Quarantined if state.note.is_empty() => match &state.file.last_death {
            Some(death) => format!("the last death: {}; `coalmine reset {identity}` frees it", death.why),
            None => format!("`coalmine reset {identity}` frees it"),
        },
        _ => state.note.clone(),
    }
}
