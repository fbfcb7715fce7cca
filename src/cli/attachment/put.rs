//! `coalmine attachment put`: stores a file.

use super::{Of, reach, upload::upload};
use crate::{
    api::client::PutAs,
    cli::{context::Context, failure::Outcome},
};
use coalmine_actors::attachments::{CreateMeta, MediaType};
use std::path::PathBuf;

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
    let create = CreateMeta { media_type, label, ..CreateMeta::default() };
    let put_as = PutAs { session: of.session.as_ref(), ..PutAs::default() };
    let put = upload(context, reach::server(context, true), &file, create, put_as).await?;
    context.answer(&put, |put| put.id.to_string())
}
