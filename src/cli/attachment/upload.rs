//! Brings a file to the daemon, piece by piece.

use super::progress;
use crate::{
    api::client::PutAs,
    cli::{
        context::Context,
        failure::{Failure, Outcome},
    },
};
use axum::body::Bytes;
use coalmine_actors::attachments::{AttachmentRef, CreateMeta, store::CHUNK_BYTES};
use indicatif::ProgressBar;
use std::{
    io::{self, Read},
    path::Path,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// Pieces that are read ahead of the daemon.
const PIECES_AHEAD: usize = 2;

/// Stores this file, or what stdin has where it is `-`; called by its name where `create` has no label.
pub(in crate::cli) async fn upload(
    context: &Context,
    file: &Path,
    mut create: CreateMeta,
    put_as: PutAs<'_>,
) -> Outcome<AttachmentRef> {
    let stdin = file.as_os_str() == "-";
    let named = || file.file_name().filter(|_| !stdin).map(|name| name.to_string_lossy().into_owned());
    create.label = create.label.or_else(named);
    let (source, byte_len): (Box<dyn Read + Send>, _) = if stdin {
        (Box::new(io::stdin()), None)
    } else {
        let cannot = |error| Failure::failed(&format!("can not read {}", file.display()), error);
        let open = std::fs::File::open(file).map_err(cannot)?;
        let meta = open.metadata().map_err(cannot)?;
        if meta.is_dir() {
            return Err(Failure::usage(format!("{} is a folder", file.display()), "pack it first, as with tar"));
        }
        (Box::new(open), meta.is_file().then_some(meta.len()))
    };
    let bar = progress::bar(byte_len, context.json);
    let (send, pieces) = mpsc::channel(PIECES_AHEAD);
    let read = tokio::task::spawn_blocking({
        let bar = bar.clone();
        move || pass_on(source, byte_len, &bar, &send)
    });
    let put = context.client()?;
    let put = put.attachment_put(put_as, &create, byte_len, ReceiverStream::new(pieces)).await;
    bar.finish_and_clear();
    let read = read.await;
    match (put, read) {
        // What the daemon saw of a file that could not be read is only that it ended.
        (Err(_), Ok(Err(error))) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::failed(&format!("can not read {}", file.display()), error))
        }
        (put, _) => Ok(put?),
    }
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
