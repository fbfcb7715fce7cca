//! What calling the memory provider costs: one run beside a bare spawn, a sweep beside the ideal, a deadline.
//!
//! `cargo bench --bench provision -- [--peers 200] [--rounds 300] [--json] [--quick]`

mod support;

use coalmine::{
    io::{find, pidfd::dead_within, provisioner::Providers, spawn::Spawn},
    paths::Paths,
};
use coalmine_actors::{
    names::Personality,
    provisioner::{
        ProvisionOutcome, ProvisionRules, Provisioning,
        errand::{Agent, Program, ProvisionCommand, Subject},
        occasion::Direction,
        outcome::State,
        port::{Deadlines, ProviderHost},
        recipe::MemoryRecipe,
    },
};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use serde_json::json;
use std::{
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};
use support::{Args, Ballast, Outcome, PATIENCE, Reach, Report, Row, Samples, ms, say};
use tokio::{sync::watch, time::Instant};

/// Resident in the daemon, bytes.
const BALLAST_BYTES: usize = 500_000_000;
const PARALLEL: usize = 4;
const COMMAND_MS: u64 = 50;
const DEADLINE: Duration = Duration::from_millis(300);

fn main() -> ExitCode {
    support::run(bench)
}

async fn bench(args: Args, root: PathBuf) -> Outcome<Report> {
    let ballast = Ballast::new(if args.quick { 1_000_000 } else { BALLAST_BYTES })?;
    let mut report = Report::new("provision");
    report.condition(format!("{} MB resident in the daemon", ballast.resident_mb));
    let providers = Providers::new(Paths::new(&root)?, &["PATH".into(), "HOME".into()]);

    say("one run beside a bare spawn");
    report.table("one run of /bin/true", one_run(&providers, &root, args.rounds(300)).await?);
    let peers = if args.quick { 8 } else { args.peers().max(200) };
    say(format!("a sweep of {peers} peers"));
    report.table(format!("a sweep, {COMMAND_MS} ms each, {PARALLEL} at once"), sweep(&providers, &root, peers).await?);
    say("a deadline");
    report.table("a deadline of 300 ms on `sleep 30`", deadline(&providers, &root, args.rounds(20).min(20)).await?);
    drop(ballast);
    Ok(report)
}

fn command(root: &Path, program: &str, args: &[&str]) -> ProvisionCommand {
    let args = args.iter().map(|arg| (*arg).to_owned()).collect();
    ProvisionCommand { program: Program::At(program.into()), args, cwd: root.to_owned() }
}

async fn run(providers: &Providers, command: ProvisionCommand, total: Duration) -> ProvisionOutcome {
    let (_cancel, never) = watch::channel(false);
    providers.run(command, Deadlines { total, idle: None }, never).await
}

/// All three ways of the same, in turn: each meets the same noise.
async fn one_run(providers: &Providers, root: &Path, rounds: usize) -> Outcome<Vec<Row>> {
    let helper = find::helper(Some(support::helper()))?;
    let (mut ours, mut bare, mut by_helper) = (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..rounds {
        let before = Instant::now();
        let outcome = run(providers, command(root, "/bin/true", &[]), PATIENCE).await;
        ours.push(ms(before.elapsed()));
        if outcome.state != State::Ok {
            return Err(format!("{outcome:?}").into());
        }
        bare.push(spawned(Spawn::new(Path::new("/bin/true"))?)?);
        let through = Spawn::new(&helper)?.arg("exec")?.arg("--chdir")?.arg(root)?.arg("--")?.arg("/bin/true")?;
        by_helper.push(spawned(through)?);
    }
    let overhead = ours.p50() - bare.p50();
    Ok(vec![
        Row::new("a run, with its outcome", "ms", &ours),
        Row::new("baseline: posix_spawn + waitid", "ms", &bare),
        Row::one("overhead of the medians", "ms", overhead).reach(Reach::below("overhead", overhead, 1.0, "ms")),
        Row::new("posix_spawn + waitid through coalmine-helper exec", "ms", &by_helper),
    ])
}

fn spawned(spawn: Spawn<'_>) -> Outcome<f64> {
    let before = Instant::now();
    let pid = Pid::from_raw(spawn.start()?).ok_or("no pid")?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    if !dead_within(pidfd.as_fd(), PATIENCE) {
        return Err("it did not end".into());
    }
    waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED)?;
    Ok(ms(before.elapsed()))
}

#[allow(clippy::cast_precision_loss, reason = "a few hundred peers")]
async fn sweep(providers: &Providers, root: &Path, peers: usize) -> Outcome<Vec<Row>> {
    let seconds = format!("0.{COMMAND_MS:03}");
    let declaration = json!({
        "provider": "bench", "package": "bench", "version": "1",
        "provision": { "command": "/bin/sleep", "args": [seconds] },
    });
    std::fs::write(root.join("memory-provider.json"), declaration.to_string())?;
    let rules = ProvisionRules { parallel: PARALLEL, deadlines: Deadlines::default() };
    let provisioning = Provisioning::new(Arc::new(providers.clone()), None, rules);
    provisioning.spawn(None).await?;
    let agent = Agent { runtime: "bench".parse()?, recipe: MemoryRecipe::default() };
    let mut subjects = Vec::with_capacity(peers);
    for number in 0..peers {
        let personality: Personality = format!("p{number}").parse()?;
        subjects.push(Subject { personality, cwd: root.to_owned(), agents: vec![agent.clone()] });
    }
    let before = Instant::now();
    let id = provisioning.sweep(Direction::On, None, subjects).await?;
    let mut view = provisioning.follow(id, peers - 1, PATIENCE).await?;
    let took = ms(before.elapsed());
    view = provisioning.follow(view.id, 0, Duration::ZERO).await?;
    if !(view.finished && view.reports.iter().all(coalmine_actors::provisioner::outcome::PeerReport::is_fine)) {
        return Err("the sweep did not go well".into());
    }
    let ideal = peers.div_ceil(PARALLEL) as f64 * COMMAND_MS as f64;
    let over = (took / ideal - 1.0) * 100.0;
    Ok(vec![
        Row::one(format!("{peers} peers"), "ms", took),
        Row::one("ideal", "ms", ideal),
        Row::one("over it", "%", over).reach(Reach::below("over the ideal", over, 10.0, "%")),
    ])
}

async fn deadline(providers: &Providers, root: &Path, rounds: usize) -> Outcome<Vec<Row>> {
    let mut took = Samples::default();
    for _ in 0..rounds {
        let before = Instant::now();
        let outcome = run(providers, command(root, "/bin/sleep", &["30"]), DEADLINE).await;
        took.push(ms(before.elapsed()));
        if outcome.state != State::Timeout || !outcome.escaped.is_empty() {
            return Err(format!("{outcome:?}").into());
        }
    }
    let (first, last) = (took.quantile(0.0), took.max());
    Ok(vec![
        Row::new("until the outcome", "ms", &took).reach(Reach::below("last", last, 330.0, "ms")).reach(Reach::below(
            "300 - first",
            300.0 - first,
            0.5,
            "ms",
        )),
    ])
}
