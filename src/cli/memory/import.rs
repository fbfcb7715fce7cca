//! `coalmine memory import`: adds the items of another file, each with a new id.

use super::{Writing, reach};
use crate::{
    api::wire::ImportedItem,
    cli::{
        context::Context,
        failure::{self, Failure, Outcome},
    },
    count::items,
    io::memory::read_unlocked,
};
use coalmine_actors::memory::item::{Item, NewItem};
use serde::Serialize;
use std::path::PathBuf;

/// Items that are sent at once, bytes: a request has a limit.
const TOGETHER_BYTES_MAX: usize = 256 * 1024;
/// Refusals that are told one by one.
const TOLD_MAX: usize = 20;

/// Add the items of another file; they get new ids, and keep the old ones as source_id
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A memory file, or what `export` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    writing: Writing,
}

#[derive(Serialize)]
struct Imported {
    imported: u64,
    refused: u64,
    bad_lines: u64,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    if !args.file.exists() {
        return Err(Failure::usage(
            format!("there is no file {}", args.file.display()),
            "give a file of one item a line",
        ));
    }
    let index = read_unlocked(&args.file)?;
    let active = index.entries().iter().filter(|entry| !entry.gone);
    let mut new_items = active.filter_map(|entry| index.item(entry)).map(new).peekable();
    let mut done = Imported { imported: 0, refused: 0, bad_lines: index.bad_count() };
    while new_items.peek().is_some() {
        let (mut together, mut bytes) = (Vec::new(), 0);
        while let Some(item) = new_items.next_if(|item| bytes == 0 || bytes + item.content.len() <= TOGETHER_BYTES_MAX)
        {
            bytes += item.content.len() + 256;
            together.push(item);
        }
        let answers = reach::write(
            context,
            args.writing,
            async |client| client.memory_import(&together).await,
            async |memory| Ok(memory.add_all(together.clone()).await.into_iter().map(ImportedItem::from).collect()),
        );
        for answer in answers.await? {
            match answer {
                ImportedItem::Added(_) => done.imported += 1,
                ImportedItem::Refused { error } => {
                    done.refused += 1;
                    if done.refused <= TOLD_MAX as u64 {
                        failure::tell(error, context.json);
                    }
                }
            }
        }
    }
    context.answer(&done, |done| {
        let mut text = format!("{} imported", items(done.imported));
        for (count, what) in [(done.refused, "refused"), (done.bad_lines, "bad lines left out")] {
            if count > 0 {
                text.push_str(&format!(", {count} {what}"));
            }
        }
        text
    })?;
    if done.refused > 0 || done.bad_lines > 0 { Err(Failure::degraded()) } else { Ok(()) }
}

fn new(item: Item) -> NewItem {
    let Item { id, ts, kind, content, tags, source, source_id: _ } = item;
    NewItem { kind: kind.to_string(), content, tags, source, ts: Some(ts), source_id: Some(id) }
}
