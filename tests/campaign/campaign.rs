//! Runs schedules, several at a time, each in a root of its own, and tells of those after which something is wrong.

use super::{
    checker::{self, Files, Sight},
    schedule::Schedule,
    tally::Tally,
    yard::Yard,
};
use std::{
    fmt::Write,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};
use tokio::{task::LocalSet, time::Instant};

/// How long a fleet may take to come to rest after a schedule.
const REST: Duration = Duration::from_secs(45);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(25);
/// Schedules that run side by side unless COALMINE_CAMPAIGN_ROOTS says otherwise.
const ROOTS: u64 = 4;
/// Failures after which no further schedule is begun.
const FAILURES_MAX: usize = 5;
/// Lines of each file that a failure shows.
const TAIL_LINES: usize = 120;

/// A number from the environment.
pub fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text:?}: no number")))
}

/// Runs `count` schedules from `seed` on.
pub fn run(count: u64, seed: u64) {
    let next = AtomicU64::new(seed);
    let began = Instant::now();
    let tally = Mutex::new(Tally::default());
    let failures = thread::scope(|scope| {
        let roots: Vec<_> = (0..number("COALMINE_CAMPAIGN_ROOTS", ROOTS))
            .map(|_| {
                scope.spawn(|| {
                    let mut failures = Vec::new();
                    loop {
                        let seed_now = next.fetch_add(1, Ordering::Relaxed);
                        if seed_now >= seed + count || failures.len() >= FAILURES_MAX {
                            return failures;
                        }
                        if let Err(report) = one(seed_now, &tally) {
                            eprintln!("{report}");
                            failures.push(seed_now);
                        }
                    }
                })
            })
            .collect();
        roots.into_iter().flat_map(|root| root.join().unwrap()).collect::<Vec<_>>()
    });
    eprintln!("campaign: {count} schedules from seed {seed} in {:?}, failed: {failures:?}", began.elapsed());
    eprintln!("{}", tally.into_inner().unwrap());
    assert!(failures.is_empty(), "these seeds failed: {failures:?}");
}

/// Runs the schedule of this seed; a failure tells everything.
pub fn one(seed: u64, tally: &Mutex<Tally>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asking = LocalSet::new();
    runtime.block_on(asking.run_until(async {
        let schedule = Schedule::of(seed);
        let mut yard = Yard::new();
        yard.start_daemon(schedule.fault);
        yard.populate(&asking).await;
        for (step, pause) in &schedule.steps {
            yard.carry_out(step, &asking);
            tokio::time::sleep(*pause).await;
        }
        let wrong = rest_for(&mut yard, REST).await;
        yard.tally.take_in(&Files::read(&yard.paths()));
        tally.lock().unwrap().add(&yard.tally);
        if wrong.is_empty() { Ok(()) } else { Err(report(&schedule, &yard, &wrong)) }
    }))
}

/// Lets everything go on, and waits until nothing is wrong any more; what is left then is.
pub async fn rest_for(yard: &mut Yard, wait: Duration) -> Vec<String> {
    yard.thaw_all();
    let deadline = Instant::now() + wait;
    loop {
        yard.start_daemon(None); // also after a fault that strikes only now
        let asked = yard.client().list().await;
        let wrong = match asked {
            Err(error) => vec![format!("the daemon does not answer: {error}")],
            Ok(_) if yard.ledger.borrow().under_way() => vec!["requests are not answered".to_owned()],
            Ok(views) => {
                let sight = Sight { views, census: yard.census(), files: Files::read(&yard.paths()) };
                checker::complaints(&yard.ledger.borrow(), &sight)
            }
        };
        if wrong.is_empty() || Instant::now() > deadline {
            return wrong;
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn report(schedule: &Schedule, yard: &Yard, wrong: &[String]) -> String {
    let mut text = format!("\n=== FAILED: {schedule}");
    let mut section = |title: &str, lines: &[String]| {
        let _ = writeln!(text, "--- {title}");
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
    };
    section("wrong", wrong);
    section("done", &yard.done);
    section("answers", &yard.ledger.borrow().said);
    section("killed", &[format!("{:?}", yard.ledger.borrow().killed)]);
    section("processes", &yard.census().iter().map(|member| format!("{member:?}")).collect::<Vec<_>>());
    let tail = |path: std::path::PathBuf| -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<_> = text.lines().map(ToOwned::to_owned).collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].to_vec()
    };
    let paths = yard.paths();
    section("lifecycle.log", &tail(paths.journal().join("lifecycle.log")));
    section("exits.log", &tail(paths.journal().join("exits.log")));
    section("fleet.json", &tail(paths.registry()));
    section("the daemons said", &tail(yard.root().folder().join("daemon.err")));
    text
}
