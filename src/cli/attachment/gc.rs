//! `coalmine attachment gc`: removes what nobody refers to.

use super::reach;
use crate::{
    api::wire::SweepAsked,
    cli::{
        context::Context,
        create,
        failure::{Failure, Outcome},
    },
    count::{attachments, counted, references},
    text::harmless,
};
use coalmine_actors::attachments::{SweepOptions, SweepReport};
use std::time::Duration;

/// Remove what nobody refers to; the daemon does so by itself, every 6 hours where the config does not say
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// How old uncommitted references and unfinished writes must be [default: attachments.grace of the config, 24h]
    #[arg(long, value_name = "TIME", value_parser = create::wait, allow_hyphen_values = true)]
    grace: Option<Duration>,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let Args { dry_run, grace } = args;
    let grace_ms = grace.map(|grace| u64::try_from(grace.as_millis()).unwrap_or(u64::MAX));
    let report = reach::served(
        context,
        async |client| client.attachment_sweep(SweepAsked { grace_ms, dry_run }).await,
        async |own| own.sweep(SweepOptions { grace: grace.unwrap_or(own.grace()), dry_run }).await,
    )
    .await?;
    context.answer(&report, text)?;
    if report.is_clean() { Ok(()) } else { Err(Failure::degraded()) }
}

fn text(report: &SweepReport) -> String {
    let (would, count) = if report.dry_run { ("would be ", report.condemned) } else { ("", report.removed) };
    let mut text = format!("{} {would}removed", attachments(count, report.bytes));
    if report.intents_dropped > 0 {
        text.push_str(&format!("\n{}, never committed, {would}dropped", references(report.intents_dropped)));
    }
    if report.staging_removed > 0 {
        let count = usize::try_from(report.staging_removed).unwrap_or(usize::MAX);
        let writes = counted(count, "unfinished write", "unfinished writes");
        text.push_str(&format!("\n{writes} of {} bytes {would}removed", report.staging_bytes));
    }
    for strange in &report.strange {
        text.push_str(&format!("\nnot ours, and left alone: {}", harmless(strange)));
    }
    for row in &report.unreadable {
        text.push_str(&format!("\nnothing is removed while the manifest has a bad row: {}", harmless(row)));
    }
    text
}
