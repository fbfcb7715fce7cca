//! `coalmine memory add`: remembers something.

use super::{Writing, reach};
use crate::cli::{
    context::Context,
    failure::{Failure, Outcome},
};
use coalmine_actors::memory::item::{CONTENT_BYTES_MAX, NewItem};
use std::io::Read;

/// Remember something; it is on disk when this returns
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// fact, pref or context
    kind: String,
    /// What to remember; - reads it from stdin
    #[arg(allow_hyphen_values = true)]
    content: String,
    /// A word to find it by; may be given again
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Who says so [default: the peer that this runs in]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    #[command(flatten)]
    writing: Writing,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let Args { kind, content, tags, source, writing } = args;
    let content = if content == "-" { from_stdin()? } else { content };
    let source = source.or_else(|| std::env::var("COALMINE_PEER").ok());
    let item = NewItem { tags, source, ..NewItem::new(&kind, content) };
    let (ours, theirs) = (item.clone(), item);
    let added = reach::write(
        context,
        writing,
        async |client| client.memory_add(&theirs).await,
        async |memory| memory.add(ours.clone()).await,
    )
    .await?;
    context.answer(&added, |added| {
        format!("remembered as {}{}", added.id, if added.durable { "" } else { " (not yet durable)" })
    })
}

/// All of stdin, without the last line's end; one byte over the limit is enough to be refused.
fn from_stdin() -> Outcome<String> {
    let mut text = Vec::new();
    let stdin = std::io::stdin().lock();
    stdin
        .take(CONTENT_BYTES_MAX as u64 + 2)
        .read_to_end(&mut text)
        .map_err(|error| Failure::failed("can not read stdin", error))?;
    let text = String::from_utf8(text)
        .map_err(|_| Failure::usage("the content is not UTF-8", "large or binary content goes in as an attachment"))?;
    Ok(text.strip_suffix('\n').map(ToOwned::to_owned).unwrap_or(text))
}
