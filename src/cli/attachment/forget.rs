//! `coalmine attachment forget`: ends the references to an attachment.

use super::{Of, id, reach};
use crate::{
    api::wire::Released,
    cli::{context::Context, failure::Outcome},
    count::references,
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
    let (id, session) = (id(&args.id)?, args.of.session);
    let released = reach::served(
        context,
        async |client| client.attachment_forget(id, session.as_ref()).await,
        async |own| own.forget(id, session.clone()).await.map(|released| Released { released }),
    )
    .await?;
    context.answer(&released, |released| match released.released {
        0 => "nobody referred to it; `coalmine attachment gc` removes it".into(),
        count => format!("{} ended", references(count)),
    })
}
