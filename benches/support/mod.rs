//! What the benches stand on: arguments, a root that leaves nothing behind, the same work by hand, and tables.
//!
//! These are end-to-end measurements and no micro-benchmarks: one sample starts or kills real processes, takes
//! milliseconds, and means something only beside a baseline that met the same noise a moment before or after. A
//! harness that repeats a closure until its mean is stable would hide exactly what is asked for: the p99, and the
//! ratio. So every bench has a main of its own (`harness = false`), which runs through [`run`].
#![allow(dead_code, unused_imports, reason = "shared: every bench uses its part of it")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a bench is there to print")]
#![allow(unreachable_pub, reason = "a bench is one binary: nothing outside it can reach anything")]

mod args;
mod ballast;
mod deaths;
mod fleet;
mod hand;
mod host;
mod marks;
mod procfs;
mod report;
mod root;
mod shell_canary;
mod stats;

pub use args::Args;
pub use ballast::Ballast;
pub use deaths::{Death, Deaths};
pub use fleet::{BenchFleet, helper, sleeper};
pub use hand::{Hand, Workshop};
pub use host::Host;
pub use marks::MarkFolder;
pub use procfs::{Memory, switches};
pub use report::{Reach, Report, Row};
pub use root::Root;
pub use shell_canary::ShellCanary;
pub use stats::{Samples, ms};

use clap::Parser;
use std::{error::Error, process::ExitCode, time::Duration};

/// The result of anything here: a bench that can not measure says why and fails.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Longest wait for anything that should take milliseconds.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The daemon's own number of workers.
const WORKER_THREADS: usize = 2;

/// Runs a bench: arguments, root, runtime, report. The root is declared first, so that it is dropped last: whatever
/// ends the bench (an error, a panic, Ctrl-C), the fleet is gone before its processes are ended.
pub fn run<F>(bench: impl FnOnce(Args, std::path::PathBuf) -> F) -> ExitCode
where
    F: Future<Output = Outcome<Report>>,
{
    let args = Args::parse();
    let root = Root::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKER_THREADS).enable_all().build();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| {
        runtime.block_on(async {
            tokio::select! {
                report = bench(args.clone(), root.path().to_owned()) => report,
                _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
            }
        })
    });
    match outcome {
        Ok(report) => {
            report.print(args.json);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says what is under way, on stderr.
pub fn say(what: impl std::fmt::Display) {
    eprintln!("· {what}");
}
