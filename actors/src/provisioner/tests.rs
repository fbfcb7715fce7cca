//! The provisioner by its messages, with a provider that does what the test says, on a paused clock.

use super::{
    ProvisionError, ProvisionRules, Provisioning,
    errand::{Agent, Subject},
    occasion::{Direction, Occasion},
    outcome::{RuntimeReport, State},
    port::Deadlines,
    recipe::{MemoryRecipe, PluginRecipe, Setting, SettingValue},
    view::SweepView,
};
use crate::{error::FleetError, testing::FakeProviderHost};
use std::{sync::Arc, time::Duration};

const LONG: Duration = Duration::from_secs(36_000);
const SECOND: Duration = Duration::from_secs(1);

fn declaration(blocks: &str) -> String {
    format!(r#"{{"provider":"mem","package":"p","version":"1",{blocks}}}"#)
}

fn block(name: &str) -> String {
    format!(r#""{name}":{{"command":"/mem","args":["{name}","{{personality}}","{{runtime}}","{{occasion}}"]}}"#)
}

fn both() -> String {
    declaration(&[block("provision"), block("unprovision")].join(","))
}

fn agent(runtime: &str) -> Agent {
    Agent { runtime: runtime.parse().unwrap(), recipe: MemoryRecipe::default() }
}

fn subject(name: &str, runtimes: &[&str]) -> Subject {
    Subject {
        personality: name.parse().unwrap(),
        cwd: "/w".into(),
        agents: runtimes.iter().map(|runtime| agent(runtime)).collect(),
    }
}

fn states(reports: &[RuntimeReport]) -> Vec<State> {
    reports.iter().map(|report| report.outcome.state).collect()
}

struct Desk {
    host: FakeProviderHost,
    provisioning: Provisioning,
}

impl Desk {
    async fn with(declared: impl Into<String>) -> Self {
        let host = FakeProviderHost::default();
        host.declare(declared);
        host.takes(SECOND);
        let deadlines = Deadlines { total: Duration::from_secs(10), idle: None };
        let rules = ProvisionRules { parallel: 4, deadlines };
        let provisioning = Provisioning::new(Arc::new(host.clone()), None, rules);
        provisioning.spawn(None).await.unwrap();
        Self { host, provisioning }
    }

    async fn joint(&self, subject: Subject, occasion: Occasion) -> Vec<RuntimeReport> {
        tokio::time::timeout(LONG, self.provisioning.joint(subject, occasion))
            .await
            .expect("it is answered")
            .expect("it is not closed")
    }

    async fn sweep(&self, direction: Direction, names: &[&str]) -> Result<u64, FleetError> {
        let subjects = names.iter().map(|name| subject(name, &["claude"])).collect();
        self.provisioning.sweep(direction, None, subjects).await
    }

    async fn finished(&self, id: u64) -> SweepView {
        let mut known = 0;
        loop {
            let view = self.provisioning.follow(id, known, LONG).await.unwrap();
            known = view.done;
            if view.finished {
                return self.provisioning.follow(id, 0, LONG).await.unwrap();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peers_agents_are_visited_in_order_and_an_agentless_peer_never() {
    let desk = Desk::with(both()).await;
    let reports = desk.joint(subject("bob", &["claude", "codex"]), Occasion::Birth).await;
    assert_eq!(states(&reports), [State::Ok, State::Ok]);
    assert_eq!(
        desk.host.done(),
        [
            "run provision bob claude birth",
            "end provision bob claude birth",
            "run provision bob codex birth",
            "end provision bob codex birth"
        ]
    );
    let reports = desk.joint(subject("sh", &[]), Occasion::Birth).await;
    assert_eq!(states(&reports), [State::SkippedNoAgenticRuntime]);
    assert_eq!(desk.host.done().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_fails_is_not_followed_by_the_plugin() {
    let plugin = r#""plugin":{"name":"pl","marketplace":"mk","marketplaceRef":"o/r"}"#;
    let desk = Desk::with(declaration(&[block("provision"), block("unprovision"), plugin.into()].join(","))).await;
    desk.host.fails("bob");
    let reports = desk.joint(subject("bob", &["claude"]), Occasion::Birth).await;
    assert_eq!(states(&reports), [State::Failed]);
    assert_eq!(reports[0].outcome.detail, "no disk");
    assert_eq!(desk.host.done(), ["run provision bob claude birth", "end provision bob claude birth"]);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_goes_parallel_up_to_its_number_and_reports_each_peer() {
    let desk = Desk::with(both()).await;
    desk.host.fails("p3");
    let names: Vec<String> = (0..10).map(|number| format!("p{number}")).collect();
    let began = tokio::time::Instant::now();
    let id = desk.sweep(Direction::On, &names.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    let view = desk.finished(id).await;
    assert_eq!(began.elapsed(), 3 * SECOND, "ten visits of a second, four at once");
    assert_eq!((desk.host.running_max(), view.total, view.done, view.cancelled), (4, 10, 10, false));
    let failed: Vec<_> = view.reports.iter().filter(|report| !report.is_fine()).collect();
    assert_eq!((failed.len(), failed[0].personality.as_str()), (1, "p3"));
    assert!(desk.host.done().contains(&"run provision p9 claude sweep-on".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn each_way_off_has_its_own_occasion() {
    let desk = Desk::with(both()).await;
    let all = desk.sweep(Direction::Off, &["ann"]).await.unwrap();
    desk.finished(all).await;
    let bob = Some("bob".parse().unwrap());
    let one = desk.provisioning.sweep(Direction::Off, bob, vec![subject("bob", &["claude"])]).await.unwrap();
    desk.finished(one).await;
    let runs: Vec<_> = desk.host.done().into_iter().filter(|done| done.starts_with("run")).collect();
    assert_eq!(runs, ["run unprovision ann claude off-all", "run unprovision bob claude off-peer"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_slot_and_a_missing_direction_refuse_a_sweep_and_run_nothing() {
    let desk = Desk::with(declaration(&block("provision"))).await;
    let error = desk.sweep(Direction::Off, &["ann"]).await.unwrap_err();
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        (
            "missing-direction",
            "provider \"mem\" declares no unprovision command (a v1.2 declaration needs both directions)"
        )
    );
    let removed = desk.joint(subject("ann", &["claude"]), Occasion::Remove).await;
    assert_eq!(states(&removed), [State::MissingDirection]);
    desk.host.declare("{}");
    let error = desk.sweep(Direction::On, &["ann"]).await.unwrap_err();
    assert!(error.to_string().starts_with("memory slot is empty: no provider declared; declaration: "), "{error}");
    assert_eq!(desk.host.done(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_same_sweep_is_refused_with_the_first_ones_id_and_is_free_again_afterwards() {
    let desk = Desk::with(both()).await;
    let id = desk.sweep(Direction::On, &["ann"]).await.unwrap();
    let error = desk.sweep(Direction::On, &["ann"]).await.unwrap_err();
    assert!(matches!(error, FleetError::Provision(ProvisionError::SweepRuns { id: first }) if first == id), "{error}");
    desk.finished(id).await;
    desk.sweep(Direction::On, &["ann"]).await.unwrap();
    assert_eq!(desk.provisioning.follow(99, 0, LONG).await.unwrap_err().code(), "unknown-sweep");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_sweep_ends_what_runs_and_begins_nothing_more() {
    let desk = Desk::with(both()).await;
    desk.host.takes(Duration::from_secs(5));
    let names = ["a", "b", "c", "d", "e", "f"];
    let id = desk.sweep(Direction::On, &names).await.unwrap();
    tokio::time::sleep(SECOND).await;
    desk.provisioning.cancel(id).unwrap();
    let view = desk.finished(id).await;
    assert!(view.cancelled && view.done == 6);
    assert!(view.reports.iter().all(|report| states(&report.runtimes) == [State::Cancelled]), "{view:#?}");
    assert_eq!(desk.host.done().iter().filter(|done| done.starts_with("run")).count(), 4);
    desk.provisioning.cancel(id).unwrap();
    assert_eq!(desk.finished(id).await.done, 6, "over is over");
}

#[tokio::test(start_paused = true)]
async fn a_birth_waits_for_no_sweep_but_for_its_own_peers_earlier_visit() {
    let desk = Desk::with(both()).await;
    let names: Vec<String> = (0..40).map(|number| format!("p{number}")).collect();
    let id = desk.sweep(Direction::On, &names.iter().map(String::as_str).collect::<Vec<_>>()).await.unwrap();
    let began = tokio::time::Instant::now();
    desk.joint(subject("newborn", &["claude"]), Occasion::Birth).await;
    assert_eq!(began.elapsed(), 2 * SECOND, "one visit that ran, and its own");
    desk.joint(subject("p39", &["claude"]), Occasion::Remove).await;
    let done = desk.host.done();
    let place = |line: &str| done.iter().position(|done| done == line).unwrap_or_else(|| panic!("{line}: {done:?}"));
    assert!(place("end provision p39 claude sweep-on") < place("run unprovision p39 claude remove"));
    desk.finished(id).await;
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_ours_in_a_visit_is_an_outcome_and_the_next_visit_goes_on() {
    let desk = Desk::with(both()).await;
    desk.host.panics(true);
    assert_eq!(states(&desk.joint(subject("bob", &["claude"]), Occasion::Birth).await), [State::Failed]);
    desk.host.panics(false);
    assert_eq!(states(&desk.joint(subject("bob", &["claude"]), Occasion::Birth).await), [State::Ok]);
}

#[tokio::test(start_paused = true)]
async fn a_handle_without_an_actor_still_answers() {
    let provisioning = Provisioning::new(Arc::new(FakeProviderHost::default()), None, ProvisionRules::default());
    let reports = provisioning.joint(subject("bob", &["claude"]), Occasion::Birth).await.unwrap();
    assert_eq!(states(&reports), [State::Failed]);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_ends_ends_what_runs_and_leaves_births_as_they_are() {
    let desk = Desk::with(both()).await;
    desk.host.takes(Duration::from_secs(5));
    let id = desk.sweep(Direction::On, &["a", "b", "c", "d", "e"]).await.unwrap();
    let birth = tokio::spawn({
        let provisioning = desk.provisioning.clone();
        async move { provisioning.joint(subject("newborn", &["claude"]), Occasion::Birth).await }
    });
    tokio::time::sleep(SECOND).await;
    let began = tokio::time::Instant::now();
    desk.provisioning.close(LONG).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(matches!(birth.await.unwrap(), Err(FleetError::ShuttingDown)));
    assert_eq!(desk.finished(id).await.done, 5);
    assert_eq!(desk.host.done().iter().filter(|done| done.starts_with("run")).count(), 4);
    let late = desk.provisioning.joint(subject("late", &["claude"]), Occasion::Remove).await;
    assert!(matches!(late, Err(FleetError::ShuttingDown)));
}

#[tokio::test(start_paused = true)]
async fn settings_that_can_not_be_made_keep_the_command_from_running() {
    let desk = Desk::with(both()).await;
    let setting =
        |key: &str| Setting { file: "x.json".into(), key: vec![key.into()], value: SettingValue::Bool(false) };
    let mut bob = subject("bob", &["claude"]);
    bob.agents[0].recipe.before_provision = vec![setting("trust")];
    bob.agents[0].recipe.on_slot_occupied = vec![setting("own-memory")];
    assert_eq!(states(&desk.joint(bob.clone(), Occasion::Birth).await), [State::Ok]);
    assert_eq!(desk.host.done()[..3], ["set trust", "set own-memory", "run provision bob claude birth"]);
    bob.agents[0].recipe.on_slot_occupied = vec![setting("broken")];
    let reports = desk.joint(bob, Occasion::SweepOn).await;
    assert_eq!(states(&reports), [State::SetupFailed]);
    assert!(reports[0].outcome.detail.starts_with("can not set broken in x.json: "), "{:?}", reports[0]);
    assert_eq!(desk.host.done().iter().filter(|done| done.starts_with("run")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_serves_the_whole_host_is_installed_once_and_goes_with_its_last_user() {
    let desk = Desk::with(declaration(r#""plugin":{"name":"pl","marketplace":"mk","marketplaceRef":"o/r"}"#)).await;
    let words = |line: &str| line.split(' ').map(ToOwned::to_owned).collect::<Vec<_>>();
    let user = |name: &str| {
        let mut user = subject(name, &["codex"]);
        user.agents[0].recipe.plugin = Some(PluginRecipe {
            host_global: true,
            on: vec![words("codex add {marketplaceRef}"), words("codex install {name}@{marketplace}")],
            off: vec![words("codex remove {name}")],
        });
        user
    };
    let (ann, bob) = tokio::join!(desk.joint(user("ann"), Occasion::Birth), desk.joint(user("bob"), Occasion::Birth));
    let mut both_states = [states(&ann), states(&bob)].concat();
    both_states.sort_by_key(|state| state.as_str());
    assert_eq!(both_states, [State::Already, State::Ok]);
    assert_eq!(states(&desk.joint(user("ann"), Occasion::OffPeer).await), [State::Already]);
    assert_eq!(states(&desk.joint(user("bob"), Occasion::Remove).await), [State::Ok]);
    let runs: Vec<_> = desk.host.done().into_iter().filter(|done| done.starts_with("run")).collect();
    assert_eq!(runs, ["run add o/r", "run install pl@mk", "run remove pl"]);
    // What was not installed is not noted: the next one tries again.
    desk.host.fails("install");
    assert_eq!(states(&desk.joint(user("ann"), Occasion::SweepOn).await), [State::SetupFailed]);
    desk.host.fails("nothing");
    assert_eq!(states(&desk.joint(user("ann"), Occasion::SweepOn).await), [State::Ok]);
}
