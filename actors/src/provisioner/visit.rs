//! One visit of one peer: its agents one after the other, each by its errand. Runs beside the actor.

use super::{
    errand::{Errand, ProvisionCommand, Subject, Then, errand},
    handle::Shared,
    occasion::Occasion,
    outcome::{ProvisionOutcome, RuntimeReport, State},
    slot::{Provider, Slot},
};
use crate::{
    error::FleetError,
    journal::Draft,
    names::{Identity, Runtime},
};
use std::sync::Arc;
use tokio::sync::watch;

/// A visit under way.
pub(super) struct Visit {
    pub(super) shared: Arc<Shared>,
    pub(super) subject: Subject,
    pub(super) occasion: Occasion,
    /// Turns true once, when it is called off.
    pub(super) cancel: watch::Receiver<bool>,
}

impl Visit {
    /// Does everything, by `slot` or by what the slot holds now. Nobody is visited for an empty one.
    pub(super) async fn make(self, slot: Option<Arc<Slot>>) -> Vec<RuntimeReport> {
        let slot = match slot {
            Some(slot) => slot,
            None => Arc::new(self.shared.slot().await),
        };
        let Some(provider) = &slot.provider else { return Vec::new() };
        if self.subject.agents.is_empty() {
            let why = "none of its runtimes is an agent";
            let outcome = ProvisionOutcome::not_run(State::SkippedNoAgenticRuntime, why);
            return vec![RuntimeReport { runtime: None, outcome }];
        }
        let mut reports = Vec::with_capacity(self.subject.agents.len());
        for agent in &self.subject.agents {
            let errand = errand(provider, &self.subject, agent, self.occasion);
            let outcome = self.go(provider, &agent.runtime, errand).await;
            reports.push(RuntimeReport { runtime: Some(agent.runtime.clone()), outcome });
        }
        reports
    }

    async fn go(&self, provider: &Provider, runtime: &Runtime, errand: Errand) -> ProvisionOutcome {
        if *self.cancel.borrow() {
            return self.told(runtime, cancelled());
        }
        for edit in errand.edits {
            let what = format!("{} in {}", edit.key.join("."), edit.file);
            if let Err(error) = self.shared.host.set(edit).await {
                let why = format!("can not set {what}: {}", error.chain());
                return self.told(runtime, ProvisionOutcome::not_run(State::SetupFailed, why));
            }
        }
        match errand.then {
            Then::Command(command) => self.run(runtime, command).await,
            Then::Plugin { host_global: None, commands } => self.install(runtime, commands).await,
            Then::Plugin { host_global: Some(plugin), commands } => {
                self.install_once(runtime, &format!("{runtime}:{plugin}"), commands).await
            }
            Then::Nothing(state, why) => {
                tracing::debug!(provider = provider.name, %runtime, ?state, why, "nothing to run");
                self.told(runtime, ProvisionOutcome::not_run(state, why))
            }
        }
    }

    async fn run(&self, runtime: &Runtime, command: ProvisionCommand) -> ProvisionOutcome {
        let deadlines = self.shared.rules().deadlines;
        let outcome = self.shared.host.run(command, deadlines, self.cancel.clone()).await;
        self.told(runtime, outcome)
    }

    /// The runtime's own commands, until one does not do.
    async fn install(&self, runtime: &Runtime, commands: Vec<ProvisionCommand>) -> ProvisionOutcome {
        let mut last = ProvisionOutcome::not_run(State::Ok, "");
        for command in commands {
            let outcome = self.run(runtime, command).await;
            last = ProvisionOutcome { duration_ms: last.duration_ms + outcome.duration_ms, ..outcome };
            if last.state == State::Failed {
                last.state = State::SetupFailed;
            }
            if last.state != State::Ok {
                break;
            }
        }
        last
    }

    /// The same for what serves the whole host: one at a time, and only for the first user or the last.
    async fn install_once(&self, runtime: &Runtime, key: &str, commands: Vec<ProvisionCommand>) -> ProvisionOutcome {
        let _turn = self.shared.host_turn.lock().await;
        match self.install_in_turn(runtime, key, commands).await {
            Ok(outcome) => outcome,
            Err(error) => {
                let why = format!("who uses {key} can not be noted: {}", error.chain());
                self.told(runtime, ProvisionOutcome::not_run(State::SetupFailed, why))
            }
        }
    }

    async fn install_in_turn(
        &self,
        runtime: &Runtime,
        key: &str,
        commands: Vec<ProvisionCommand>,
    ) -> Result<ProvisionOutcome, FleetError> {
        let before = self.shared.host.host_plugins().await?;
        let (after, must_run) = before.after(key, &self.subject.personality, self.occasion);
        let outcome = if must_run {
            self.install(runtime, commands).await
        } else {
            self.told(runtime, ProvisionOutcome::not_run(State::Already, "it serves the whole host"))
        };
        if outcome.state.is_fine() && after != before {
            self.shared.host.save_host_plugins(after).await?;
        }
        Ok(outcome)
    }

    /// One event a run, and a word for whoever reads the daemon's own notes.
    fn told(&self, runtime: &Runtime, outcome: ProvisionOutcome) -> ProvisionOutcome {
        let identity = Identity::new(runtime.clone(), self.subject.personality.clone());
        let exit = outcome.exit_code.map(|code| code.to_string()).or_else(|| outcome.signal.clone());
        let draft = Draft::new("memory-provision")
            .about(&identity)
            .with("occasion", self.occasion.as_str())
            .with("state", outcome.state.as_str())
            .with("exit", exit.unwrap_or_default())
            .with("ms", outcome.duration_ms)
            .with("argv", outcome.argv.join(" "))
            .with("detail", &outcome.detail);
        self.shared.note(draft);
        if !outcome.state.is_fine() {
            let (occasion, state) = (self.occasion.as_str(), outcome.state.as_str());
            tracing::warn!(%identity, occasion, state, detail = outcome.detail, "the memory provider");
        }
        outcome
    }
}

/// What is said of a visit that was never made.
pub(super) fn cancelled() -> ProvisionOutcome {
    ProvisionOutcome::not_run(State::Cancelled, "called off before it began")
}
