//! `coalmine memory stats`: how much is remembered.

use super::reach;
use crate::cli::{context::Context, failure::Outcome, output};
use crate::io::memory::torn_count;
use coalmine_actors::memory::verify::MemoryStats;

/// Say how much is remembered
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(context: &Context, _args: Args) -> Outcome {
    let torn = torn_count(&reach::places(context).0);
    let look = |index: &_| Ok(MemoryStats::of(index, torn));
    let read = reach::read(context, async |client| client.memory_stats().await, look).await?;
    context.answer_read(&read, text)
}

/// The numbers, one a line.
pub(super) fn text(stats: &MemoryStats) -> String {
    let mut card = output::table(&[]);
    for (name, number) in [
        ("items", stats.active),
        ("forgotten", stats.forgotten),
        ("bytes", stats.bytes),
        ("bad lines", stats.bad_lines),
        ("torn ends", stats.torn),
        ("next id", stats.next_id),
    ] {
        card.add_row([output::key(name), number.to_string().into()]);
    }
    output::rendered(&mut card)
}
