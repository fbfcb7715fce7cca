//! `coalmine attachment put`: stores a file.

use super::{
    Of, progress,
    reach::{self, Server},
};
use crate::{
    cli::{
        context::Context,
        failure::{Failure, Outcome},
    },
    text::one_line,
};
use axum::body::Bytes;
use coalmine_actors::{
    attachments::{
        AttachmentRef, AttachmentStore, Attachments, CreateMeta, MediaType, Owner, Session, meta::LABEL_BYTES_MAX,
        store::CHUNK_BYTES,
    },
    error::FleetError,
};
use indicatif::ProgressBar;
use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Pieces that are read ahead of whoever stores them.
const PIECES_AHEAD: usize = 2;

/// Store a file; it is on disk when this returns
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file; - reads stdin
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// What to call it [default: the file's name]
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
    /// What the bytes are, as image/png [default: found from the bytes]
    #[arg(long, value_name = "MIME", value_parser = str::parse::<MediaType>)]
    media_type: Option<MediaType>,
    #[command(flatten)]
    of: Of,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let Args { file, label, media_type, of } = args;
    let stdin = file.as_os_str() == "-";
    let named = || if stdin { None } else { label_of(&file) };
    let create = CreateMeta { media_type, label: label.or_else(named), ..CreateMeta::default() };
    // Here: an address that holds too long a label is none.
    create.check().map_err(FleetError::from)?;
    let (source, byte_len): (Box<dyn Read + Send>, _) = if stdin {
        (Box::new(io::stdin()), None)
    } else {
        let cannot = |error| Failure::failed(&format!("can not read {}", file.display()), error);
        let open = std::fs::File::open(&file).map_err(cannot)?;
        let meta = open.metadata().map_err(cannot)?;
        if meta.is_dir() {
            return Err(Failure::usage(format!("{} is a folder", file.display()), "pack it first, as with tar"));
        }
        (Box::new(open), meta.is_file().then_some(meta.len()))
    };
    let server = reach::server(context, true).await?;
    let bar = progress::bar(byte_len, context.json);
    let (send, pieces) = mpsc::channel(PIECES_AHEAD);
    let read = tokio::task::spawn_blocking({
        let bar = bar.clone();
        move || pass_on(source, byte_len, &bar, &send)
    });
    let put = match server {
        Server::Daemon(client) => {
            let pieces = ReceiverStream::new(pieces);
            client.attachment_put(of.session.as_ref(), &create, byte_len, pieces).await.map_err(Failure::from)
        }
        Server::Own(own) => {
            let put = store(&own.attachments, of.session, create, byte_len, pieces).await;
            own.close().await?;
            put
        }
    };
    bar.finish_and_clear();
    let read = read.await;
    let put = match (put, read) {
        // What others saw of a file that could not be read is only that it ended.
        (Err(_), Ok(Err(error))) if error.kind() != io::ErrorKind::BrokenPipe => {
            return Err(Failure::failed(&format!("can not read {}", file.display()), error));
        }
        (put, _) => put?,
    };
    context.answer(&put, |put| put.id.to_string())
}

/// A file's name as a label: it may be long, hold a line's end, or be no text at all.
fn label_of(file: &Path) -> Option<String> {
    let mut label = one_line(&file.file_name()?.to_string_lossy(), LABEL_BYTES_MAX);
    while label.len() > LABEL_BYTES_MAX {
        label.pop();
    }
    Some(label).filter(|label| !label.is_empty())
}

/// Stores without a daemon. `pieces` are dropped where that fails, so that nobody goes on reading.
async fn store(
    attachments: &Attachments,
    session: Option<Session>,
    create: CreateMeta,
    byte_len: Option<u64>,
    mut pieces: mpsc::Receiver<io::Result<Bytes>>,
) -> Outcome<AttachmentRef> {
    let store = attachments.session(session.unwrap_or_else(Session::operator), Owner::whole());
    let mut upload = store.upload(byte_len, create).await?;
    while let Some(piece) = pieces.recv().await {
        upload.write(piece.map_err(|error| Failure::failed("can not read", error))?).await?;
    }
    let put = upload.finish().await?;
    store.commit(vec![put.id]).await?;
    Ok(put)
}

/// Reads piece by piece, at most as many bytes as were announced.
fn pass_on(
    source: Box<dyn Read + Send>,
    byte_len: Option<u64>,
    bar: &ProgressBar,
    to: &mpsc::Sender<io::Result<Bytes>>,
) -> io::Result<()> {
    let mut source = source.take(byte_len.unwrap_or(u64::MAX));
    loop {
        let mut piece = Vec::with_capacity(CHUNK_BYTES);
        if let Err(error) = source.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut piece) {
            let _hung_up = to.blocking_send(Err(io::Error::new(error.kind(), error.to_string())));
            return Err(error);
        }
        if piece.is_empty() {
            return Ok(());
        }
        bar.inc(piece.len() as u64);
        if to.blocking_send(Ok(piece.into())).is_err() {
            return Err(io::ErrorKind::BrokenPipe.into()); // refused: the answer says why
        }
    }
}
