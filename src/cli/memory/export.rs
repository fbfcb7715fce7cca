//! `coalmine memory export`: the active items, one line each.

use super::reach;
use crate::{
    api::{client::ClientError, wire::Exported},
    cli::{
        context::Context,
        failure::{Failure, Outcome},
    },
    io::private_file,
};
use coalmine_actors::memory::query;
use serde_json::json;
use std::{
    io::{BufWriter, Write},
    path::PathBuf,
};

/// Write the items as they are in the file, one line each
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to [default: stdout]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let Some(path) = args.file else {
        let mut out = std::io::stdout().lock();
        pages(context, &mut out).await?;
        return Ok(out.flush()?);
    };
    let cannot = |error| Failure::failed(&format!("can not write {}", path.display()), error);
    let mut out = BufWriter::new(private_file::create_truncated(&path).map_err(cannot)?);
    let lines = pages(context, &mut out).await?;
    out.into_inner().map_err(|error| cannot(error.into_error()))?.sync_all().map_err(cannot)?;
    let done = json!({ "exported": lines, "file": path });
    context.answer(&done, |_| format!("{} written to {}", crate::count::items(lines), path.display()))
}

/// Writes page after page; how many lines they were.
async fn pages(context: &Context, out: &mut impl Write) -> Outcome<u64> {
    let (mut after, mut lines) = (0, 0);
    loop {
        let ask = async |client: crate::api::client::Client| -> Result<Exported, ClientError> {
            client.memory_export(after).await
        };
        // From the file all at once: every look reads the whole of it.
        let look = |index: &_| {
            let (lines, next) = query::export(index, after, usize::MAX);
            Ok(Exported { lines, next })
        };
        let page = reach::read(context, ask, look).await?.data;
        out.write_all(page.lines.as_bytes())?;
        lines += page.lines.lines().count() as u64;
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    Ok(lines)
}
