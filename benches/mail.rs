//! How long a message takes from its sender until an idle peer's program has taken it, and what 100 senders to a sleeper
//! cost.
//!
//! `cargo bench --bench mail -- [--peers 50] [--rounds 500] [--json] [--quick]`

#[path = "../tests/it/mail/agent.rs"]
#[allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "the tests' own program, which needs a part of it")]
mod agent;
mod support;

use coalmine::actors::fleet::request::CreatePeer;
use coalmine_actors::{
    attachments::Session,
    mail::{MailView, NewMessage, Sender, State},
};
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};
use support::{Args, BenchFleet, Outcome, PATIENCE, Reach, Report, Row, Samples, ms, say};
use tokio::{task::JoinSet, time::Instant};

/// Senders to one sleeper at once.
const SENDERS: usize = 100;

fn main() -> ExitCode {
    // In a peer's pane this is its program.
    agent::run_if_asked();
    support::run(bench)
}

async fn bench(args: Args, root: PathBuf) -> Outcome<Report> {
    let mut report = Report::new("mail");
    let peers = if args.quick { 4 } else { args.peers().min(50) };
    let mut fleet = BenchFleet::start_with(&root, |builder| {
        builder.runtime("agent".parse().expect("a runtime's name"), agent::runtime())
    })
    .await?;
    let mut names = Vec::with_capacity(peers);
    for number in 0..peers {
        names.push(create(&fleet, &root, &format!("p{number}")).await?);
    }
    let sleeper = create(&fleet, &root, "sleeper").await?;
    say(format!("{peers} peers start"));
    fleet.start_all(&names).await?;
    say("one message at a time");
    report.table(format!("to an idle peer, {peers} up"), one_by_one(&fleet, &names, args.rounds(500)).await?);
    say(format!("{SENDERS} senders to a sleeper"));
    report.table("to a sleeper", to_a_sleeper(&fleet, &sleeper).await?);
    fleet.stop_all(&names).await?;
    Ok(report)
}

async fn create(fleet: &BenchFleet, root: &Path, name: &str) -> Outcome<String> {
    let home = root.join("homes").join(name);
    std::fs::create_dir_all(&home)?;
    let env = [(agent::HOME.to_owned(), home.to_string_lossy().into_owned())].into();
    let runtime = Some("agent".into());
    fleet
        .handle
        .create(CreatePeer { name: name.into(), runtime, cwd: root.into(), env, ..CreatePeer::default() })
        .await?;
    Ok(name.to_owned())
}

async fn send(fleet: &coalmine::FleetHandle, to: &str) -> Outcome<MailView> {
    let new = NewMessage { to: to.into(), body: "a message of one line".into(), ..NewMessage::default() };
    let sent = fleet.mail().send(Sender::operator(), Session::operator(), new).await?;
    let over = fleet.mail().follow(sent.message.id, false, PATIENCE).await?;
    if over.progress.state == State::Submitted { Ok(over) } else { Err(format!("{over:?}").into()) }
}

async fn one_by_one(fleet: &BenchFleet, names: &[String], rounds: usize) -> Outcome<Vec<Row>> {
    let (mut submitted, mut kept) = (Samples::default(), Samples::default());
    for round in 0..rounds {
        let to = &names[round % names.len()];
        let before = Instant::now();
        let over = send(&fleet.handle, to).await?;
        submitted.push(ms(before.elapsed()));
        let typed = over.progress.typed_at.ok_or("never typed")?;
        let waited = typed.duration_since(over.progress.queued_at);
        kept.push(ms(waited.try_into()?));
    }
    let (p50, p99) = (submitted.p50(), submitted.p99());
    Ok(vec![
        Row::new("sent until submitted", "ms", &submitted)
            .reach(Reach::below("p50", p50, 50.0, "ms"))
            .reach(Reach::below("p99", p99, 200.0, "ms")),
        Row::new("of that, accepted until about to be typed", "ms", &kept),
    ])
}

#[allow(clippy::cast_precision_loss, reason = "a hundred messages")]
async fn to_a_sleeper(fleet: &BenchFleet, sleeper: &str) -> Outcome<Vec<Row>> {
    let before = Instant::now();
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (handle, to) = (fleet.handle.clone(), sleeper.to_owned());
        senders.spawn(async move { send(&handle, &to).await.map_err(|error| error.to_string()) });
    }
    let (mut submitted, mut woke) = (Samples::default(), 0);
    while let Some(sent) = senders.join_next().await {
        woke += usize::from(sent??.progress.woke);
        submitted.push(ms(before.elapsed()));
    }
    let wakes = woke as f64;
    Ok(vec![
        Row::new("sent until submitted, one after the other", "ms", &submitted),
        Row::one("wakes", "", wakes).reach(Reach::below("wakes", wakes, 1.5, "")),
    ])
}
