//! `coalmine memory list`: what is remembered, the newest first.

use super::{reach, show};
use crate::cli::{context::Context, failure::Outcome};
use coalmine_actors::memory::{
    MemoryError,
    item::ItemKind,
    query::{Cursor, PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX, Query, page},
};
use jiff::{SignedDuration, Timestamp};

/// List what is remembered, newest first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only of this kind: fact, pref or context
    #[arg(long, value_name = "KIND")]
    kind: Option<ItemKind>,
    /// Only with this tag; given again, with all of them
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Only from this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only with this in it, whatever the case
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Not older: a time, or an age as in 2h
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Older: a time, or an age as in 2h
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = PAGE_ITEMS_DEFAULT as u32,
          value_parser = clap::value_parser!(u32).range(1..=PAGE_ITEMS_MAX as i64))]
    limit: u32,
    /// After the last page, which ended with this
    #[arg(long, value_name = "CURSOR", allow_hyphen_values = true)]
    cursor: Option<Cursor>,
    /// At most so many tokens, of 4 bytes each
    #[arg(long, value_name = "N")]
    max_tokens: Option<usize>,
}

/// A time as people give it.
fn time(text: &str) -> Result<Timestamp, MemoryError> {
    let unreadable = || MemoryError::Unreadable { what: "the time", text: text.to_owned() };
    let age = || text.parse::<SignedDuration>().ok().and_then(|age| Timestamp::now().checked_sub(age).ok());
    text.parse().ok().or_else(age).ok_or_else(unreadable)
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let query = Query {
        kind: args.kind,
        tags: args.tags,
        source: args.source,
        since: args.since,
        until: args.until,
        text: args.text,
        limit: Some(args.limit as usize),
        cursor: args.cursor,
        max_tokens: args.max_tokens,
    };
    let theirs = query.clone();
    let read =
        reach::read(context, async |client| client.memory_list(&theirs).await, |index| Ok(page(index, query))).await?;
    context.answer_read(&read, |page| {
        if page.items.is_empty() {
            return "nothing is remembered that fits; `coalmine memory add fact TEXT` adds something".into();
        }
        let mut text = show::table(&page.items, Timestamp::now());
        if let Some(cursor) = page.cursor {
            text.push_str(&format!("\nmore: `coalmine memory list --cursor {cursor}`"));
        }
        text
    })
}
