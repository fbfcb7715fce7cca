//! `coalmine attachment get`: reads an attachment.

use super::{
    id, progress,
    reach::{self, Own, Server},
};
use crate::{
    api::client::{ClientError, Download},
    cli::{
        context::Context,
        failure::{Failure, Outcome},
    },
    io::atomic,
};
use axum::body::Bytes;
use coalmine_actors::{
    attachments::{AttachmentId, store::Reading},
    error::Kind,
};
use serde_json::json;
use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
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
    let Some(path) = args.output.filter(|path| path.as_os_str() != "-") else {
        let mut source = Source::open(context, id).await?;
        let written = to_stdout(&mut source).await;
        source.close().await?;
        return written;
    };
    let folder = folder_of(&path)?;
    let mut source = Source::open(context, id).await?;
    let byte_len = source.byte_len();
    let bar = progress::bar(Some(byte_len), context.json);
    let written = to_file(&mut source, &path, folder, |bytes| bar.inc(bytes)).await;
    bar.finish_and_clear();
    source.close().await?;
    written?;
    let done = json!({ "id": id, "byte_len": byte_len, "file": path });
    context.answer(&done, |_| format!("{byte_len} bytes written to {}", path.display()))
}

/// Where the bytes come from.
enum Source {
    Daemon(Download),
    /// Held until all has come: with it the lock is let go.
    Own(Reading, Own),
}

impl Source {
    async fn open(context: &Context, id: AttachmentId) -> Outcome<Self> {
        match reach::server(context, false).await? {
            Server::Daemon(client) => Ok(Self::Daemon(client.attachment_get(id).await?)),
            Server::Own(own) => match own.attachments.open(id, None).await {
                Ok(reading) => Ok(Self::Own(reading, own)),
                Err(error) => {
                    own.close().await?;
                    Err(error.into())
                }
            },
        }
    }

    /// What was found out on the way is noted.
    async fn close(self) -> Outcome {
        match self {
            Self::Daemon(_) => Ok(()),
            Self::Own(_, own) => own.close().await,
        }
    }

    fn byte_len(&self) -> u64 {
        match self {
            Self::Daemon(download) => download.left(),
            Self::Own(reading, _) => reading.meta.byte_len,
        }
    }

    async fn next(&mut self) -> Outcome<Option<Bytes>> {
        match self {
            Self::Daemon(download) => download.next().await.map_err(cut),
            Self::Own(reading, _) => Ok(reading.next().await.transpose()?),
        }
    }
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

async fn to_stdout(source: &mut Source) -> Outcome {
    let mut out = io::stdout().lock();
    // A bar would be mixed with the bytes on one terminal, so there is none.
    while let Some(piece) = source.next().await? {
        out.write_all(&piece)?;
    }
    Ok(out.flush()?)
}

/// The folder that a file is to be written into; looked at before anybody is asked for the bytes.
fn folder_of(path: &Path) -> Outcome<&Path> {
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
    if !folder.is_dir() {
        let what = format!("there is no folder {} to write {} into", folder.display(), path.display());
        return Err(Failure::new(Kind::Usage, "no-folder", what, format!("`mkdir -p {}` makes it", folder.display())));
    }
    Ok(folder)
}

/// Under another name first: what is cut short must not look like the whole.
async fn to_file(source: &mut Source, path: &Path, folder: &Path, mut came: impl FnMut(u64)) -> Outcome {
    let cannot = |error: io::Error| Failure::failed(&format!("can not write {}", path.display()), error);
    // Opened by us: an error of the crate would name its temporary file, which means nothing to anybody.
    let private = |temp: &Path| File::options().write(true).create_new(true).mode(0o600).open(temp);
    let mut temp = tempfile::Builder::new().prefix(".tmp-").make_in(folder, private).map_err(cannot)?;
    while let Some(piece) = source.next().await? {
        temp.as_file_mut().write_all(&piece).map_err(cannot)?;
        came(piece.len() as u64);
    }
    temp.as_file().sync_all().map_err(cannot)?;
    temp.persist(path).map_err(|error| cannot(error.error))?;
    atomic::sync_folder(folder).map_err(cannot)
}
