//! `coalmine attachment stat`: what is known of an attachment.

use super::{id, reach};
use crate::{
    cli::{context::Context, failure::Outcome, output},
    text::one_line,
};
use coalmine_actors::attachments::{Meta, meta::LABEL_BYTES_MAX};
use comfy_table::Cell;

/// Show what is known of an attachment
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its id
    id: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let id = id(&args.id)?;
    let meta =
        reach::served(context, async |client| client.attachment_stat(id).await, async |own| own.stat(id).await).await?;
    context.answer(&meta, card)
}

fn card(meta: &Meta) -> String {
    let size = meta.width.zip(meta.height).map(|(width, height)| format!("{width} × {height}"));
    let rows = [
        ("id", Some(meta.id.to_string())),
        ("type", Some(one_line(meta.media_type.mime(), LABEL_BYTES_MAX))),
        ("bytes", Some(meta.byte_len.to_string())),
        ("pixels", size),
        ("label", meta.label.as_deref().map(|label| one_line(label, LABEL_BYTES_MAX))),
        ("stored", Some(crate::age::moment(meta.created_at))),
    ];
    let mut table = output::table(&[]);
    for (key, value) in rows.into_iter().filter_map(|(key, value)| Some((key, value?))) {
        table.add_row([output::key(key), Cell::new(value)]);
    }
    output::rendered(&mut table)
}
