//! `coalmine attachment gc`: removes what nobody refers to.

use crate::{
    api::wire::SweepAsked,
    cli::{
        context::Context,
        create,
        failure::{Failure, Outcome},
    },
    text::harmless,
};
use coalmine_actors::attachments::SweepReport;
use std::time::Duration;

/// Remove what nobody refers to; the daemon does so by itself every 6 hours
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// How old uncommitted references and unfinished writes must be, as in 24h
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = create::wait)]
    grace: Duration,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let grace_ms = u64::try_from(args.grace.as_millis()).unwrap_or(u64::MAX);
    let asked = SweepAsked { grace_ms: Some(grace_ms), dry_run: args.dry_run };
    let report = context.client()?.attachment_sweep(asked).await?;
    context.answer(&report, text)?;
    if report.is_clean() { Ok(()) } else { Err(Failure::degraded()) }
}

fn text(report: &SweepReport) -> String {
    let (would, count) = if report.dry_run { ("would be ", report.condemned) } else { ("", report.removed) };
    let mut text = format!("{count} attachments of {} bytes {would}removed", report.bytes);
    if report.intents_dropped > 0 {
        text.push_str(&format!("\n{} references that were never committed {would}dropped", report.intents_dropped));
    }
    if report.staging_removed > 0 {
        let (count, bytes) = (report.staging_removed, report.staging_bytes);
        text.push_str(&format!("\n{count} unfinished writes of {bytes} bytes {would}removed"));
    }
    for strange in &report.strange {
        text.push_str(&format!("\nnot ours, and left alone: {}", harmless(strange)));
    }
    for row in &report.unreadable {
        text.push_str(&format!("\nnothing is removed while the manifest has a bad row: {}", harmless(row)));
    }
    text
}
