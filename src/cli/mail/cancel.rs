//! `coalmine mail cancel`: a message that still waits is not delivered any more.

use super::{id, told};
use crate::cli::{context::Context, failure::Outcome};

/// Cancel a message that still waits; one that is being typed already is not
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its id
    #[arg(value_name = "ID")]
    id: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let mail = context.client()?.mail_cancel(id(&args.id)?).await?;
    context.answer(&mail, told::sentence)
}
