//! A peer's view from its record and its `state.json`. Pure but for the look at /proc that [`Host`] takes.

use super::Host;
use coalmine_actors::{
    names::{Generation, Identity, Runtime},
    peer::{
        config::{self, FleetRules, PeerConfig},
        file::{Desired, Life, LifePhase, PeerFile},
        limits::Limits,
        one_task::WakePolicy,
        restart_policy::{RestartLimit, RestartPolicy},
    },
    registry::document::PeerSpec,
    view::{PeerView, PhaseName, Wish},
};
use jiff::Timestamp;

/// What the files say of `identity`.
pub(super) fn of(
    spec: &PeerSpec,
    identity: Identity,
    rules: &FleetRules,
    file: &PeerFile,
    host: &Host,
    written: Timestamp,
) -> PeerView {
    let lives = |life: &&Life| life.server.is_some_and(|server| host.lives(server, &life.boot_id));
    let alive = file.lives.iter().rev().find(lives);
    let canary = alive.and_then(|life| life.canary.filter(|canary| host.lives(*canary, &life.boot_id)));
    let (phase, detail) = alive.map_or_else(|| at_rest(file), |life| (live(life.phase), ""));
    let Told { command, restart, limit, idle_after_ms, wake_policy, limits } = told(spec, identity.runtime(), rules);
    let begun = alive.map(|life| life.held_by.as_str()).filter(|held_by| !held_by.is_empty());
    let sandbox = spec.sandbox.unwrap_or_default().view(rules.held_by.as_deref(), begun);
    let started = alive.map(|life| &life.command).filter(|started| !started.is_empty() && **started != command);
    let (command, next_command) = match started {
        Some(started) => (started.clone(), Some(command)),
        None => (command, None),
    };
    PeerView {
        personality: identity.personality().clone(),
        runtime: identity.runtime().clone(),
        phase,
        detail: detail.into(),
        generation: alive.map_or(file.highest, |life| life.generation),
        since: alive.map_or(written, |life| host.at(life.started_boot_ms)),
        server_pid: alive.and_then(|life| life.server).map(|server| server.pid),
        canary_pid: canary.map(|canary| canary.pid),
        // Nobody asks it without a daemon.
        unreachable: false,
        unwatched: alive.is_some() && canary.is_none(),
        deaths_recent: deaths(file, limit, host),
        restarts: file.restarts,
        next_try: None,
        last_death: file.last_death.clone(),
        last_end: None,
        records_owed: 0,
        restart,
        restart_limit: limit,
        idle_after_ms,
        wake_policy,
        // It is the daemon that keeps it.
        mail: None,
        limits,
        sandbox,
        cwd: spec.cwd.clone(),
        command,
        next_command,
        policy: spec.policy.clone(),
        helper_version: String::new(),
        wish: Wish::default(),
        identity,
    }
}

/// What record and configuration say of a peer, which no state is needed for.
struct Told {
    command: Vec<String>,
    restart: RestartPolicy,
    limit: RestartLimit,
    idle_after_ms: Option<u64>,
    wake_policy: WakePolicy,
    limits: Limits,
}

/// The same as a daemon would go by. A runtime that is not defined leaves what the record itself says.
fn told(spec: &PeerSpec, runtime: &Runtime, rules: &FleetRules) -> Told {
    match config::join(spec, runtime, rules, Generation::default()) {
        Some(PeerConfig { rules, program, limits, .. }) => Told {
            command: program.argv,
            restart: rules.restart,
            limit: rules.limit,
            idle_after_ms: rules.idle_after_ms,
            wake_policy: rules.wake_policy(),
            limits,
        },
        None => Told {
            command: spec.command_of(runtime).cloned().unwrap_or_default(),
            restart: spec.restart.unwrap_or(rules.restart),
            limit: rules.limit,
            idle_after_ms: None,
            wake_policy: spec.wake_policy.unwrap_or_default(),
            limits: spec.limits,
        },
    }
}

fn live(phase: LifePhase) -> PhaseName {
    match phase {
        LifePhase::Starting => PhaseName::Starting,
        LifePhase::Up => PhaseName::Up,
        LifePhase::NeedsAttention => PhaseName::NeedsAttention,
        LifePhase::Stopping => PhaseName::Stopping,
        // Its server was taken for dead by whoever wrote this, and lives: only a daemon can clear that up.
        LifePhase::Dead => PhaseName::Blocked,
    }
}

fn at_rest(file: &PeerFile) -> (PhaseName, &'static str) {
    match file.desired {
        Desired::Asleep => (PhaseName::Asleep, ""),
        Desired::Stopped => (PhaseName::Stopped, ""),
        Desired::Quarantined => (PhaseName::Quarantined, ""),
        Desired::Up => (PhaseName::Backoff, "its server does not run; the next daemon decides"),
    }
}

/// Deaths within the window; those of another boot are over.
fn deaths(file: &PeerFile, limit: RestartLimit, host: &Host) -> usize {
    if file.boot_id != host.boot_id {
        return 0;
    }
    file.deaths_boot_ms.iter().filter(|&&at| host.boot_ms.saturating_sub(at) < limit.window_ms).count()
}
