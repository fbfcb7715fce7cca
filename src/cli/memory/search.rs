//! `coalmine memory search`: the items that fit some words best.

use super::{reach, show};
use crate::{
    cli::{
        context::{Context, Offline, Read},
        failure::Outcome,
    },
    io::memory::{FtsCache, read_unlocked},
};
use coalmine_actors::memory::{
    HITS_MAX,
    port::{MemorySearch, Shelf},
    query::Hit,
};
use jiff::Timestamp;

/// Find the items that fit some words best
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Words that must be in it; a word may end with *
    #[arg(required = true, value_name = "QUERY")]
    words: Vec<String>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=HITS_MAX as i64))]
    limit: u32,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let (words, limit) = (args.words.join(" "), args.limit as usize);
    let read = match context.client() {
        Ok(client) => match client.memory_search(&words, limit).await {
            Ok(data) => Read { data, offline: None },
            Err(error) if error.is_unreachable() => {
                Read { data: without_daemon(context, words, limit).await?, offline: Some(Offline::NotRunning) }
            }
            Err(error) => return Err(error.into()),
        },
        Err(_no_root_yet) => {
            Read { data: without_daemon(context, words, limit).await?, offline: Some(Offline::NotRunning) }
        }
    };
    context.answer_read(&read, |hits| {
        if hits.is_empty() {
            return "nothing is remembered with these words".into();
        }
        show::table(hits.iter().map(|hit| &hit.item), Timestamp::now())
    })
}

/// The cache on disk belongs to whoever has the lock; a reader makes one for itself.
async fn without_daemon(context: &Context, words: String, limit: usize) -> Outcome<Vec<Hit>> {
    let shelf = Shelf::from(read_unlocked(&reach::places(context).0)?);
    let found = FtsCache::in_memory().search(shelf.clone(), words, limit).await?;
    let index = shelf.read();
    Ok(found.into_iter().filter_map(|ranked| Some(Hit { score: ranked.score, item: index.at(ranked.at)? })).collect())
}
