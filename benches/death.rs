//! How fast a death is seen, recorded, and made good, with 100 peers and 500 MB resident in the daemon.
//!
//! Servers are killed in turn. Beside each kill, in the same moment of the same machine, a server by hand is killed
//! and started again by hand: so noise meets both, and the ratio of their medians means something. For why this is
//! no criterion benchmark see `support`.
//!
//! `cargo bench --bench death -- [--peers 100] [--rounds 3] [--json] [--quick]`

mod support;

use std::{path::PathBuf, process::ExitCode, time::Duration};
use support::{
    Args, Ballast, BenchFleet, Death, Deaths, Hand, MarkFolder, Outcome, PATIENCE, Reach, Report, Row, Samples,
    Workshop, ms, say,
};

/// Resident in the daemon meanwhile (spec 01 §11).
const BALLAST_BYTES: usize = 500_000_000;
/// Before each kill, so that none meets what the one before it left to be tidied up.
const BREATH: Duration = Duration::from_millis(30);
/// Kills under the original's canary: each takes two seconds.
const SHELL_CANARIES: usize = 10;

fn main() -> ExitCode {
    support::run(bench)
}

async fn bench(args: Args, root: PathBuf) -> Outcome<Report> {
    let (peers, rounds) = (args.peers(), args.rounds(3));
    let ballast = Ballast::new(BALLAST_BYTES)?;
    let mut fleet = BenchFleet::start(&root).await?;
    say(format!("starting {peers} peers"));
    let names = fleet.create_sleepers(peers).await?;
    fleet.start_all(&names).await?;
    let workshop = Workshop::new(&root)?;
    let mut deaths = Deaths::of(fleet)?;

    let (mut ours, mut by_hand) = (Vec::new(), ByHand::default());
    let mut hand = start(&workshop).await?;
    for round in 1..=rounds {
        say(format!("round {round} of {rounds}: {peers} servers are killed in turn"));
        for name in &names {
            tokio::time::sleep(BREATH).await;
            ours.push(deaths.kill(name).await?);
            tokio::time::sleep(BREATH).await;
            hand = by_hand.kill_and_start(&workshop, hand).await?;
        }
    }
    let canaries = if args.quick { 1 } else { SHELL_CANARIES };
    say(format!("{canaries} servers under the shell canary are killed"));
    let shell = shell_canaries(&workshop, canaries).await?;

    let mut report = Report::new("death: a server is killed with SIGKILL");
    report.condition(format!("{peers} peers, {rounds} rounds, servers killed in turn"));
    report.condition(format!("resident in the daemon: {} MB", ballast.resident_mb));
    let (seen, ratio) = tables(&ours, &by_hand, &shell);
    report.table("milliseconds after the kill", seen);
    report.table("first restart beside the same two steps by hand", ratio);
    report.table("the restart, step by step (by the journal's own times)", steps(&ours));
    Ok(report)
}

/// The baselines' samples, milliseconds.
#[derive(Default)]
struct ByHand {
    pidfd: Samples,
    up: Samples,
    bare: Samples,
}

impl ByHand {
    /// One death by hand: the pidfd, the two steps, and a bare `new-session -d` for comparison.
    async fn kill_and_start(&mut self, workshop: &Workshop, hand: Hand) -> Outcome<Hand> {
        let shop = workshop.clone();
        let (pidfd, up, bare, hand) = blocking(move || {
            let (killed, woken) = hand.kill()?;
            let hand = Hand::start(&shop, "turn")?;
            let up = killed.elapsed();
            Ok((woken - killed, up, shop.bare_new_session()?, hand))
        })
        .await?;
        self.pidfd.push(ms(pidfd));
        self.up.push(ms(up));
        self.bare.push(ms(bare));
        Ok(hand)
    }
}

async fn start(workshop: &Workshop) -> Outcome<Hand> {
    let shop = workshop.clone();
    blocking(move || Hand::start(&shop, "turn")).await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Outcome<T> {
    tokio::task::spawn_blocking(work).await?
}

/// Kill → line in the log, under the original's canary.
async fn shell_canaries(workshop: &Workshop, count: usize) -> Outcome<Samples> {
    let mut samples = Samples::default();
    let mut logs = MarkFolder::watch(workshop.file("").as_path())?;
    for number in 0..count {
        let (shop, name) = (workshop.clone(), format!("exits-{number}.log"));
        let log = workshop.file(&name);
        let (hand, canary) = blocking(move || {
            let hand = Hand::start(&shop, "canary")?;
            let canary = hand.shell_canary(&shop, &log)?;
            Ok((hand, canary))
        })
        .await?;
        let (killed, _) = blocking(move || hand.kill()).await?;
        samples.push(ms(logs.appeared(&name, PATIENCE).await? - killed));
        blocking(move || canary.ended()).await?;
    }
    Ok(samples)
}

fn samples(deaths: &[Death], of: impl Fn(&Death) -> f64) -> Samples {
    deaths.iter().map(of).collect()
}

fn tables(ours: &[Death], by_hand: &ByHand, shell: &Samples) -> (Vec<Row>, Vec<Row>) {
    let event = samples(ours, |death| death.event);
    let record = samples(ours, |death| death.record);
    let up = samples(ours, |death| death.up);
    let ratio = up.p50() / by_hand.up.p50();
    let seen = vec![
        Row::new("death event in the daemon", "ms", &event)
            .reach(Reach::below("p50", event.p50(), 1.5, "ms"))
            .reach(Reach::below("p99", event.p99(), 10.0, "ms")),
        Row::new("of that until the peer's actor decided", "ms", &samples(ours, |death| death.decided)),
        Row::new("baseline: a bare pidfd wakes", "ms", &by_hand.pidfd),
        Row::new("record fsynced, with forensics", "ms", &record).reach(Reach::below("p99", record.p99(), 100.0, "ms")),
        Row::new("baseline: the shell canary's line", "ms", shell),
    ];
    let restart = vec![
        Row::new("new session up", "ms", &up),
        Row::new("baseline: by hand", "ms", &by_hand.up),
        Row::one("ratio of the medians", "×", ratio).reach(Reach::below("ratio", ratio, 1.4, "×")),
        Row::new("bare new-session -d, without a kill", "ms", &by_hand.bare),
    ];
    (seen, restart)
}

fn steps(ours: &[Death]) -> Vec<Row> {
    vec![
        Row::new("death decided → start decided (sweep)", "ms", &samples(ours, |death| death.sweep)),
        Row::new("→ canary armed (state, lock, two spawns)", "ms", &samples(ours, |death| death.spawn)),
        Row::new("→ up (socket, one client)", "ms", &samples(ours, |death| death.session)),
    ]
}
