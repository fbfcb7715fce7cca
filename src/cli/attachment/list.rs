//! `coalmine attachment list`: what is stored.

use super::{Of, reach};
use crate::{
    cli::{context::Context, failure::Outcome, output},
    text::one_line,
};
use coalmine_actors::attachments::{
    AttachmentId,
    store::{PAGE_MAX, Page},
};
use comfy_table::{Cell, CellAlignment};

/// Longest label in a table, characters.
const LABEL_CHARS_MAX: usize = 40;

/// List what is stored, by id
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    of: Of,
    /// Most attachments that are listed
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
    /// Go on after this id, which the last page ended with
    #[arg(long, value_name = "ID", value_parser = str::parse::<AttachmentId>)]
    after: Option<AttachmentId>,
}

pub(super) async fn run(context: &Context, args: Args) -> Outcome {
    let (session, after, limit) = (args.of.session, args.after, args.limit.clamp(1, PAGE_MAX));
    let page = reach::served(
        context,
        async |client| client.attachment_list(session.as_ref(), after, limit).await,
        async |own| own.list(session.clone(), after, limit).await,
    )
    .await?;
    context.answer(&page, text)
}

fn text(page: &Page) -> String {
    if page.items.is_empty() {
        return "nothing is stored".into();
    }
    let mut table = output::table(&["ID", "TYPE", "BYTES", "STORED", "LABEL"]);
    for meta in &page.items {
        table.add_row([
            Cell::new(meta.id),
            Cell::new(one_line(meta.media_type.mime(), LABEL_CHARS_MAX)),
            Cell::new(meta.byte_len).set_alignment(CellAlignment::Right),
            Cell::new(crate::age::moment(meta.created_at)),
            Cell::new(one_line(meta.label.as_deref().unwrap_or_default(), LABEL_CHARS_MAX)),
        ]);
    }
    let mut text = output::rendered(&mut table);
    if let Some(next) = page.next {
        text.push_str(&format!("\nmore: coalmine attachment list --after {next}"));
    }
    text
}
