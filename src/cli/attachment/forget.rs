//! `coalmine attachment forget`: ends the references to an attachment.

use super::{Of, id};
use crate::{
    cli::{context::Context, failure::Outcome},
    count::counted,
};

/// End the references to an attachment: all, or one session's; `gc` removes what nobody refers to
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its id
    id: String,
    #[command(flatten)]
    of: Of,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let released = context.client()?.attachment_forget(id(&args.id)?, args.of.session.as_ref()).await?;
    context.answer(&released, |released| {
        let count = usize::try_from(released.released).unwrap_or(usize::MAX);
        format!("{} ended", counted(count, "reference", "references"))
    })
}
