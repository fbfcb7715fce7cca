//! `coalmine attachment verify`: reads every attachment.

use super::reach;
use crate::{
    cli::{
        context::Context,
        failure::{Failure, Outcome},
    },
    count::attachments,
};
use coalmine_actors::attachments::Verified;

/// Read every attachment, and list those that are not as they should be
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(context: &Context, _args: Args) -> Outcome {
    let found =
        reach::served(context, async |client| client.attachment_verify().await, async |own| own.verify().await).await?;
    context.answer(&found, text)?;
    if found.is_clean() { Ok(()) } else { Err(Failure::degraded()) }
}

/// What is wrong comes first: whoever reads one line is not to take the rest for good.
fn text(found: &Verified) -> String {
    let lists = [
        (&found.corrupt, "is corrupt and was put aside: put the true bytes again"),
        (&found.unreadable, "can not be read: put it again"),
        (&found.missing, "is referred to, and its bytes are gone: put it again"),
        (&found.unknown, "is not in the manifest, and is never removed: put it again to refer to it"),
    ];
    let bad = lists.iter().flat_map(|(ids, what)| ids.iter().map(move |id| format!("{id} {what}\n")));
    format!("{}in order: {}", bad.collect::<String>(), attachments(found.checked, found.bytes))
}
