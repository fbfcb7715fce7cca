//! Items as people read them.

use crate::{
    age,
    cli::output,
    text::{harmless, one_line},
};
use coalmine_actors::memory::item::Item;
use jiff::Timestamp;

/// Longest content in a table, characters.
const CONTENT_CHARS_MAX: usize = 100;
/// Longest list of tags in a table, characters.
const TAGS_CHARS_MAX: usize = 30;

/// Some items, a line each.
pub(super) fn table<'a>(items: impl IntoIterator<Item = &'a Item>, now: Timestamp) -> String {
    let mut table = output::table(&["ID", "AGE", "KIND", "CONTENT", "TAGS", "SOURCE"]);
    for item in items {
        table.add_row([
            item.id.to_string(),
            age::since(item.ts, now),
            item.kind.to_string(),
            one_line(&item.content, CONTENT_CHARS_MAX),
            one_line(&item.tags.join(", "), TAGS_CHARS_MAX),
            one_line(item.source.as_deref().unwrap_or_default(), TAGS_CHARS_MAX),
        ]);
    }
    output::rendered(&mut table)
}

/// One item, whole.
pub(super) fn card(item: &Item) -> String {
    let mut card = output::table(&[]);
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            card.add_row([output::key(name), value.into()]);
        }
    };
    row("id", item.id.to_string());
    row("kind", item.kind.to_string());
    row("noted", age::moment(item.ts));
    row("tags", one_line(&item.tags.join(", "), usize::MAX));
    row("source", one_line(item.source.as_deref().unwrap_or_default(), usize::MAX));
    row("source id", item.source_id.map_or(String::new(), |id| id.to_string()));
    format!("{}\n\n{}", output::rendered(&mut card), harmless(&item.content))
}
