//! `coalmine attachment get`: reads an attachment.

use super::{id, progress};
use crate::{
    api::client::{ClientError, Download},
    cli::{
        context::Context,
        failure::{Failure, Outcome},
    },
    io::atomic,
};
use coalmine_actors::error::Kind;
use serde_json::json;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// Write an attachment to a file or to stdout
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its id
    id: String,
    /// Where to; it appears there whole or not at all, in place of a file of that name [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let id = id(&args.id)?;
    let mut download = context.client()?.attachment_get(id).await?;
    let byte_len = download.left();
    let Some(path) = args.output.filter(|path| path.as_os_str() != "-") else {
        let mut out = std::io::stdout().lock();
        // A bar would be mixed with the bytes on one terminal, so there is none.
        while let Some(piece) = download.next().await.map_err(cut)? {
            out.write_all(&piece)?;
        }
        return Ok(out.flush()?);
    };
    let bar = progress::bar(Some(byte_len), context.json);
    let written = to_file(&mut download, &path, |bytes| bar.inc(bytes)).await;
    bar.finish_and_clear();
    written?;
    let done = json!({ "id": id, "byte_len": byte_len, "file": path });
    context.answer(&done, |_| format!("{byte_len} bytes written to {}", path.display()))
}

/// Under another name first: what is cut short must not look like the whole.
async fn to_file(download: &mut Download, path: &Path, mut came: impl FnMut(u64)) -> Outcome {
    let cannot = |error: std::io::Error| Failure::failed(&format!("can not write {}", path.display()), error);
    // A device, a link or a folder is something else to everybody, and would be taken away from them.
    if std::fs::symlink_metadata(path).is_ok_and(|there| !there.is_file()) {
        let what = format!("{} is there, and is no regular file", path.display());
        return Err(Failure::new(
            Kind::Usage,
            "not-a-file",
            what,
            "name a file; to write into a pipe or a device: `coalmine attachment get ID >FILE`",
        ));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temp = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder).map_err(cannot)?;
    while let Some(piece) = download.next().await.map_err(cut)? {
        temp.write_all(&piece).map_err(cannot)?;
        came(piece.len() as u64);
    }
    temp.as_file().sync_all().map_err(cannot)?;
    temp.persist(path).map_err(|error| cannot(error.error))?;
    atomic::sync_folder(folder).map_err(cannot)
}

/// An answer that was cut short: the daemon sends the last bytes only of what it found to be good.
fn cut(error: ClientError) -> Failure {
    match error {
        ClientError::HungUp => Failure::new(
            Kind::Failed,
            "corrupt",
            "the attachment was cut short: it is damaged, or the daemon ended",
            "`coalmine attachment verify` looks at it; put the true bytes again to heal it",
        ),
        other => other.into(),
    }
}
