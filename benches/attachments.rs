//! What attachments cost: puts and gets beside raw hashing, raw writing and `cat`, and a manifest with a million rows.
//!
//! Every figure stands beside a baseline that does the same work on the same disk a moment later; the ratios count.
//!
//! `cargo bench --bench attachments -- [--rounds 5] [--json] [--quick]`

#[path = "attachments/hand.rs"]
mod hand;
#[path = "attachments/manifest.rs"]
mod manifest;
#[path = "attachments/puts.rs"]
mod puts;
#[path = "attachments/reads.rs"]
mod reads;
mod support;

use std::{path::PathBuf, process::ExitCode};
use support::{Args, Outcome, Report, say};

fn main() -> ExitCode {
    support::run(bench)
}

async fn bench(args: Args, root: PathBuf) -> Outcome<Report> {
    let rounds = args.rounds(5);
    let (large_mib, rows) = if args.quick { (4, 10_000) } else { (64, 1_000_000) };
    let mut report = Report::new("attachments");
    report.condition(format!("{rounds} rounds; each way of the same work right after the other"));
    say("large puts");
    report.table(format!("a put of {large_mib} MiB, durable"), puts::large(&root, large_mib, rounds).await?);
    say("known bytes");
    report.table(format!("a put of {large_mib} MiB that are known"), puts::known(&root, large_mib, rounds).await?);
    say("puts of a megabyte");
    report.table("a put of 1 MiB, durable, one caller", puts::medium(&root, rounds).await?);
    say("small puts");
    report.table("puts of 4 KiB, durable", puts::small(&root, rounds).await?);
    say("gets");
    report
        .table(format!("a get of {large_mib} MiB from the page cache"), reads::large(&root, large_mib, rounds).await?);
    say(format!("{rows} intents"));
    report.table(format!("a manifest of {rows} intents"), manifest::oldest(&root, rows).await?);
    Ok(report)
}
