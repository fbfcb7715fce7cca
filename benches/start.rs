//! How long it takes until 100 peers are up, beside the same two steps by hand with the same parallelism.
//!
//! Every round starts all of them both ways, in alternating order, with 500 MB resident in the daemon. For why this
//! is no criterion benchmark see `support`.
//!
//! `cargo bench --bench start -- [--peers 100] [--rounds 5] [--json] [--quick]`

mod support;

use coalmine::io::servers::STARTS_AT_ONCE_MAX;
use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};
use support::{Args, Ballast, BenchFleet, Hand, Outcome, Reach, Report, Row, Samples, Workshop, ms, say};
use tokio::time::Instant;

/// Resident in the daemon meanwhile (spec 01 §11).
const BALLAST_BYTES: usize = 500_000_000;

fn main() -> ExitCode {
    support::run(bench)
}

async fn bench(args: Args, root: PathBuf) -> Outcome<Report> {
    let (peers, rounds) = (args.peers(), args.rounds(5));
    let ballast = Ballast::new(BALLAST_BYTES)?;
    let mut fleet = BenchFleet::start(&root).await?;
    let workshop = Workshop::new(&root)?;
    let names = fleet.create_sleepers(peers).await?;
    let (mut ours, mut by_hand, mut bare) = (Samples::default(), Samples::default(), Samples::default());
    for round in 0..rounds {
        say(format!("round {} of {rounds}: {peers} peers", round + 1));
        if round % 2 == 0 {
            ours.push(start_fleet(&mut fleet, &names).await?);
        }
        let shop = workshop.clone();
        by_hand.push(tokio::task::spawn_blocking(move || start_by_hand(&shop, peers)).await??);
        if round % 2 == 1 {
            ours.push(start_fleet(&mut fleet, &names).await?);
        }
        let shop = workshop.clone();
        bare.push(ms(tokio::task::spawn_blocking(move || shop.bare_new_session()).await??));
    }

    let mut report = Report::new(format!("start: {peers} peers"));
    report.condition(format!("{rounds} rounds, {STARTS_AT_ONCE_MAX} starts at once, both ways in alternating order"));
    report.condition(format!("resident in the daemon: {} MB", ballast.resident_mb));
    let ratio = ours.p50() / by_hand.p50();
    report.table(
        "until the last one is up",
        vec![
            Row::new("the fleet", "ms", &ours),
            Row::new("baseline: by hand", "ms", &by_hand),
            Row::one("ratio of the medians", "×", ratio).reach(Reach::below("ratio", ratio, 1.5, "×")),
            Row::new("one bare new-session -d", "ms", &bare),
        ],
    );
    Ok(report)
}

/// Starts all, ends all; the time of the first.
async fn start_fleet(fleet: &mut BenchFleet, names: &[String]) -> Outcome<f64> {
    let before = Instant::now();
    let up = fleet.start_all(names).await?;
    fleet.stop_all(names).await?;
    Ok(ms(up - before))
}

/// The same number by hand: as many threads as the fleet has starts at once, each with one after the other.
fn start_by_hand(workshop: &Workshop, count: usize) -> Outcome<f64> {
    let (next, started) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(count)));
    let before = Instant::now();
    let work = || -> Outcome<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            let hand = Hand::start(workshop, &format!("hand-{number}"))?;
            started.lock().map_err(|_poisoned| "another thread failed")?.push(hand);
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..STARTS_AT_ONCE_MAX).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_panic| "a thread failed")?)
    })?;
    let took = before.elapsed();
    for hand in started.into_inner().map_err(|_poisoned| "a thread failed")? {
        hand.kill()?;
    }
    Ok(ms(took))
}
