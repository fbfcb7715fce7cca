//! `coalmine memory compact`: writes the file anew without what is forgotten.

use super::{Writing, reach};
use crate::{
    cli::{context::Context, failure::Outcome},
    count::{counted, items},
};
use coalmine_actors::memory::compact::{CompactOptions, Compacted};

/// Write the file anew without what is forgotten
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Forget for good: keep no backup, and remove the earlier ones
    #[arg(long)]
    purge: bool,
    #[command(flatten)]
    writing: Writing,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let options = CompactOptions { dry_run: args.dry_run, purge: args.purge };
    let compacted = reach::write(
        context,
        args.writing,
        async |client| client.memory_compact(options).await,
        async |memory| memory.compact(options).await,
    )
    .await?;
    context.answer(&compacted, text)
}

fn text(compacted: &Compacted) -> String {
    let Compacted { kept, removed, bytes_before, bytes_after, backup, done } = compacted;
    let lines = counted(usize::try_from(*removed).unwrap_or(usize::MAX), "line", "lines");
    let would = if *done { "" } else { "would be " };
    let mut text =
        format!("{} {would}kept, {lines} {would}removed; {bytes_before} bytes, then {bytes_after}", items(*kept));
    if let Some(backup) = backup {
        text.push_str(&format!("\nthe removed lines are in {}", backup.display()));
    }
    text
}
