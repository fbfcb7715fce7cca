//! `coalmine attachment verify`: reads every attachment.

use crate::cli::{
    context::Context,
    failure::{Failure, Outcome},
};
use coalmine_actors::attachments::Verified;

/// Read every attachment, and list those that are not as they should be
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(context: &Context, _args: Args) -> Outcome {
    let found = context.client()?.attachment_verify().await?;
    context.answer(&found, text)?;
    if found.is_clean() { Ok(()) } else { Err(Failure::degraded()) }
}

fn text(found: &Verified) -> String {
    let mut text = format!("{} attachments of {} bytes are as they should be", found.checked, found.bytes);
    let lists = [
        (&found.corrupt, "is corrupt and was put aside: put the true bytes again"),
        (&found.unreadable, "can not be read: put it again"),
        (&found.missing, "is referred to, and its bytes are gone: put it again"),
        (&found.unknown, "is not in the manifest, and is never removed"),
    ];
    for (ids, what) in lists {
        ids.iter().for_each(|id| text.push_str(&format!("\n{id} {what}")));
    }
    text
}
