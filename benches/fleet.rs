//! What a quiet fleet costs: memory of canaries and daemon, work without a cause, and the price of a look.
//!
//! The daemon is the real one (`coalmine daemon`, without ballast), so that what is measured is its own. For why
//! this is no criterion benchmark see `support`.
//!
//! `cargo bench --bench fleet -- [--peers 100] [--rounds 1000] [--json] [--quick]`; a round is one `list`.
#![allow(unreachable_pub, reason = "one binary: nothing outside it can reach anything")]

mod quiet;
mod support;

use coalmine::actors::view::PeerView;
use quiet::{Daemon, idle, list};
use std::{path::PathBuf, process::ExitCode};
use support::{Args, Hand, Memory, Outcome, Reach, Report, Row, Samples, Workshop, say};

/// The small fleet that the large one is compared with.
const FEW_PEERS: usize = 10;
/// Shell canaries whose memory is taken.
const SHELL_CANARIES: usize = 5;

fn main() -> ExitCode {
    support::run(bench)
}

async fn bench(args: Args, root: PathBuf) -> Outcome<Report> {
    let peers = args.peers();
    let few = FEW_PEERS.min(peers / 2).max(1);
    let quiet = quiet::pause(&args);
    let daemon = Daemon::start(&root).await?;

    say(format!("{few} peers"));
    daemon.grow_to(few, &root).await?;
    quiet.wait().await;
    let small = Memory::of(daemon.pid())?;
    say(format!("{peers} peers"));
    daemon.grow_to(peers, &root).await?;
    quiet.wait().await;
    let large = Memory::of(daemon.pid())?;
    let views = daemon.client().list().await?;

    let mut report = Report::new(format!("fleet: {peers} idle peers"));
    report.condition(format!("memory {} s after the last start; no ballast; `coalmine daemon`", quiet.seconds()));
    report.table("memory", memory(&root, &views, (few, small), (peers, large))?);
    say("nothing happens, and somebody looks on");
    let (rows, syscalls) = idle::table(&daemon, &views, quiet).await?;
    report.table(format!("{} s in which nothing happens", quiet.seconds()), rows);
    if let Some(syscalls) = syscalls {
        report.text("system calls of the daemon meanwhile (strace -f -c)", syscalls);
    }
    say("list");
    report.table(format!("list --json of {peers} peers"), list::table(&daemon, &root, args.rounds(1000)).await?);
    Ok(report)
}

fn memory(
    root: &std::path::Path,
    views: &[PeerView],
    (few, small): (usize, Memory),
    (many, large): (usize, Memory),
) -> Outcome<Vec<Row>> {
    let canaries = canaries(views)?;
    let anon: Samples = canaries.iter().map(|memory| kib(memory.pss_anon_kib)).collect();
    let pss: f64 = canaries.iter().map(|memory| kib(memory.pss_kib)).sum();
    let shell = shell_canaries(root)?;
    let together = (kib(large.pss_kib) + pss) / 1024.0;
    let share = anon.p50() / shell.p50();
    #[expect(clippy::cast_precision_loss, reason = "a handful of peers")]
    let further = |of: fn(&Memory) -> u64| (kib(of(&large)) - kib(of(&small))) / (many - few).max(1) as f64;
    let (per_anon, per_rss) = (further(|memory| memory.pss_anon_kib), further(|memory| memory.rss_kib));
    Ok(vec![
        Row::new("private memory of a canary (Pss_Anon)", "KiB", &anon)
            .reach(Reach::below("max", anon.max(), 150.0, "KiB"))
            .reach(Reach::below("share of the shell canary's", share, 0.333, "×")),
        Row::new("baseline: the shell canary's two processes", "KiB", &shell),
        Row::one("each further peer in the daemon (Pss_Anon)", "KiB", per_anon)
            .reach(Reach::below("each", per_anon, 64.0, "KiB"))
            .note(format!("from {few} to {many} peers")),
        Row::one("each further peer in the daemon (RSS)", "KiB", per_rss),
        Row::one(format!("the daemon with {few} peers (RSS)"), "MiB", kib(small.rss_kib) / 1024.0),
        Row::one(format!("the daemon with {many} peers (RSS)"), "MiB", kib(large.rss_kib) / 1024.0),
        Row::one(format!("the daemon with {many} peers (PSS)"), "MiB", kib(large.pss_kib) / 1024.0),
        Row::one(format!("{} canaries (PSS)", canaries.len()), "MiB", pss / 1024.0),
        Row::one("daemon and canaries together (PSS)", "MiB", together)
            .reach(Reach::below("together", together, 20.0, "MiB")),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52 KiB")]
fn kib(value: u64) -> f64 {
    value as f64
}

fn canaries(views: &[PeerView]) -> Outcome<Vec<Memory>> {
    views
        .iter()
        .map(|view| {
            let pid = view.canary_pid.ok_or_else(|| format!("{} has no canary", view.identity))?;
            Memory::of(pid.cast_unsigned())
        })
        .collect()
}

/// The original's canary: a shell, and the tmux client that it waits for.
fn shell_canaries(root: &std::path::Path) -> Outcome<Samples> {
    let workshop = Workshop::new(root)?;
    let mut samples = Samples::default();
    for number in 0..SHELL_CANARIES {
        let hand = Hand::start(&workshop, &format!("shell-{number}"))?;
        let canary = hand.shell_canary(&workshop, &workshop.file("exits.log"))?;
        let both = canary.processes().map(Memory::of);
        let both = both.into_iter().collect::<Outcome<Vec<_>>>()?;
        samples.push(both.iter().map(|memory| kib(memory.pss_anon_kib)).sum());
        hand.kill()?;
    }
    Ok(samples)
}
