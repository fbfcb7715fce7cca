//! What the memory costs: durable adds beside raw write + fdatasync, loads beside `wc -l` and the LuaJIT loader.
//!
//! Every figure stands beside a baseline that does the same work on the same disk a moment later; the ratios count.
//!
//! `cargo bench --bench memory -- [--rounds 5] [--json] [--quick]`

#[path = "memory/adds.rs"]
mod adds;
#[path = "memory/loads.rs"]
mod loads;
mod support;

use std::{path::PathBuf, process::ExitCode};
use support::{Args, Outcome, Report, say};

fn main() -> ExitCode {
    support::run(bench)
}

async fn bench(args: Args, root: PathBuf) -> Outcome<Report> {
    let rounds = args.rounds(5);
    let mut report = Report::new("memory");
    report.condition(format!("{rounds} rounds; each way of the same work right after the other"));
    say("durable adds");
    report.table("64 callers at once, durable", adds::crowd(&root, rounds).await?);
    report.table("one caller, durable", adds::alone(&root, rounds).await?);
    for records in [100_000, 1_000_000] {
        say(format!("loads of {records} records"));
        let file = root.join("load.jsonl");
        report.table(format!("a start with {records} records"), loads::start(&file, records, rounds)?);
        report.table(format!("reads of {records} records"), loads::reads(&file, records).await?);
    }
    Ok(report)
}
