//! How soon a killed daemon's successor knows every peer again, and whether it loses or doubles one.
//!
//! From the start of the new process until its API says of each peer what was true before the kill: its life, its
//! server, its canary. `cargo bench --bench adopt -- [--peers 100] [--rounds 5] [--json] [--quick]`
#![allow(unreachable_pub, reason = "one binary: nothing outside it can reach anything")]

#[allow(dead_code, unused_imports, reason = "shared with the bench `fleet`, which uses all of it")]
mod quiet;
mod support;

use coalmine::actors::view::PeerView;
use quiet::Daemon;
use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};
use support::{Args, Outcome, PATIENCE, Reach, Report, Row, Samples, ms, say};
use tokio::time::Instant;

/// The longest that finding 100 peers may take, milliseconds (spec 01 §11).
const ADOPT_MS_MAX: f64 = 1_000.0;

fn main() -> ExitCode {
    support::run(bench)
}

/// What must be the same before and after: identity, life, server, canary.
type Known = BTreeSet<(String, u64, Option<i32>, Option<i32>)>;

fn known(views: &[PeerView]) -> Known {
    let up = views.iter().filter(|view| view.phase.as_str() == "up");
    up.map(|view| (view.identity.to_string(), view.generation.0, view.server_pid, view.canary_pid)).collect()
}

async fn bench(args: Args, root: PathBuf) -> Outcome<Report> {
    let peers = args.peers();
    let mut daemon = Daemon::start(&root).await?;
    say(format!("{peers} peers"));
    daemon.grow_to(peers, &root).await?;
    let before = known(&daemon.client().list().await?);
    if before.len() != peers {
        return Err(format!("{} of {peers} peers are up", before.len()).into());
    }
    let (mut answered, mut adopted) = (Samples::default(), Samples::default());
    let (mut lost, mut doubled) = (0, 0);
    for _ in 0..args.rounds(5) {
        say("kill -9, and another daemon");
        daemon.kill()?;
        let began = Instant::now();
        daemon = Daemon::start(&root).await?;
        answered.push(ms(began.elapsed()));
        let after = loop {
            let after = known(&daemon.client().list().await?);
            if after == before || began.elapsed() > PATIENCE {
                break after;
            }
        };
        adopted.push(ms(began.elapsed()));
        lost += before.difference(&after).count();
        doubled += servers(&root)?.saturating_sub(peers);
    }
    let mut report = Report::new(format!("adopt: {peers} peers after kill -9 of the daemon"));
    report.condition("from the start of the new process; no ballast; the same servers, lives and canaries as before");
    let rows = vec![
        Row::new("its API answers", "ms", &answered),
        Row::new("every peer is known again", "ms", &adopted).reach(Reach::below(
            "max",
            adopted.max(),
            ADOPT_MS_MAX,
            "ms",
        )),
        Row::one("peers lost", "", f64::from(u32::try_from(lost)?)).reach(Reach::below(
            "all",
            f64::from(u32::try_from(lost)?),
            1.0,
            "",
        )),
        Row::one("servers too many", "", f64::from(u32::try_from(doubled)?)).reach(Reach::below(
            "all",
            f64::from(u32::try_from(doubled)?),
            1.0,
            "",
        )),
    ];
    report.table("adoption", rows);
    Ok(report)
}

/// The tmux servers whose socket lies in this root: `tmux -D -S <socket>`, and no child on its way to be another
/// program.
fn servers(root: &std::path::Path) -> Outcome<usize> {
    let run = coalmine::paths::Paths::new(root)?.run().display().to_string();
    let is_server = |pid: i32| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        arguments.contains("tmux\0-D\0") && arguments.contains(&run)
    };
    let processes = std::fs::read_dir("/proc")?;
    let pids = processes.filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids.filter(|pid| is_server(*pid)).count())
}
