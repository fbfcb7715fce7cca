//! `coalmine attachment adopt`: a fork refers to what its parent refers to.

use super::reach;
use crate::{
    api::wire::{Adopted, Adopting},
    cli::{context::Context, failure::Outcome},
    count::references,
};
use coalmine_actors::attachments::Session;

/// Let a session, as a fork, refer to all that its parent refers to
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Session whose references are copied, as a peer's identity
    #[arg(value_parser = str::parse::<Session>)]
    parent: Session,
    /// Session whose they become, too
    #[arg(value_parser = str::parse::<Session>)]
    child: Session,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let Args { parent, child } = args;
    let asked = Adopting { parent: parent.clone(), child: child.clone() };
    let adopted = reach::served(
        context,
        async |client| client.attachment_adopt(&asked).await,
        async |own| own.adopt(parent, child).await.map(|adopted| Adopted { adopted }),
    )
    .await?;
    context.answer(&adopted, |adopted| format!("{} copied", references(adopted.adopted)))
}
