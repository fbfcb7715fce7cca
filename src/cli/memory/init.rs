//! `coalmine memory init`: begins anew where the file is gone.

use super::reach;
use crate::{
    cli::{
        context::Context,
        failure::{Failure, Outcome},
    },
    io::memory::{FtsCache, OpenOptions},
};
use coalmine_actors::memory::port::MemorySearch;
use std::time::Duration;

/// Begin anew with an empty memory, where the file of the old one is gone
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Yes: what the old file held is lost
    #[arg(long, required = true)]
    empty: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    debug_assert!(args.empty, "clap requires it");
    let (path, cache) = reach::places(context);
    if path.symlink_metadata().is_ok() {
        let what = format!("{} is there; nothing was changed", path.display());
        return Err(Failure::usage(what, "`coalmine memory verify` looks at it"));
    }
    FtsCache::at(cache).discard().await?;
    let options = OpenOptions { begin_anew: true, ..OpenOptions::default() };
    let memory = reach::own(context, options).await?;
    let stats = memory.stats().await?;
    memory.close(Duration::from_secs(5)).await?;
    context.answer(&stats, |_| format!("{} is new and empty", path.display()))
}
