//! The fleet's memory: say, find, read, forget.

use crate::mcp::{
    answer::{self, Given, Refusal},
    arguments::{Arg, Arguments, Shape},
    page::{CURSOR, LIMIT, MAX_TOKENS, Paging},
    tool::{Hints, Row},
    toolbox::FleetTools,
};
use coalmine_actors::memory::{
    HITS_MAX,
    item::{CONTENT_BYTES_MAX, ID_MAX, ItemKind, NewItem, SOURCE_BYTES_MAX, TAG_BYTES_MAX, TAGS_MAX},
    query::{Cursor, Query},
};
use jiff::Timestamp;
use serde_json::json;

/// Longest words of a search, characters.
const WORDS_CHARS_MAX: usize = 1_000;
/// Longest point in time, characters.
const TIME_CHARS_MAX: usize = 64;
const KINDS: Shape = Shape::Word(&["fact", "pref", "context"]);
const TAGS: Shape = Shape::Texts { count_max: TAGS_MAX, chars_max: TAG_BYTES_MAX };
const ID: Arg = Arg::must("id", Shape::Number { min: 1, max: ID_MAX }, "the item's id");

pub(super) static ADD: Row = Row {
    name: "memory_add",
    title: "Remember something",
    about: "Adds an item to the memory that the whole fleet shares; durable when this returns. Your name is noted as its source.",
    hints: Hints::ADDS,
    args: &[
        Arg::must("kind", KINDS, "fact: something that is so; pref: how somebody wants it; context: what was going on"),
        Arg::must("content", Shape::Text { chars_max: CONTENT_BYTES_MAX }, "what is remembered, at most 64 KiB"),
        Arg::may("tags", TAGS, "words to find it by"),
    ],
};

pub(super) static SEARCH: Row = Row {
    name: "memory_search",
    title: "Search the memory",
    about: "Finds items by words, best first. Every word must be there; one that ends in * finds what begins so.",
    hints: Hints::READS,
    args: &[Arg::must("query", Shape::Text { chars_max: WORDS_CHARS_MAX }, "words"), LIMIT, CURSOR, MAX_TOKENS],
};

pub(super) static LIST: Row = Row {
    name: "memory_list",
    title: "List the memory",
    about: "Lists items, newest first; every filter that is given must fit.",
    hints: Hints::READS,
    args: &[
        Arg::may("kind", KINDS, "of this kind"),
        Arg::may("tags", TAGS, "with all of these tags"),
        Arg::may("source", Shape::Text { chars_max: SOURCE_BYTES_MAX }, "noted by this one"),
        Arg::may("text", Shape::Text { chars_max: WORDS_CHARS_MAX }, "with this in their content, whatever the case"),
        Arg::may("since", Shape::Text { chars_max: TIME_CHARS_MAX }, "not older than this, RFC 3339"),
        Arg::may("until", Shape::Text { chars_max: TIME_CHARS_MAX }, "older than this, RFC 3339"),
        LIMIT,
        CURSOR,
        MAX_TOKENS,
    ],
};

pub(super) static GET: Row = Row {
    name: "memory_get",
    title: "Read one item",
    about: "Gives an item of the memory as a whole.",
    hints: Hints::READS,
    args: &[ID],
};

pub(super) static FORGET: Row = Row {
    name: "memory_forget",
    title: "Forget one item",
    about: "Forgets an item of the shared memory, for everybody.",
    hints: Hints::REMOVES,
    args: &[ID],
};

pub(super) async fn add(tools: &FleetTools, args: &Arguments) -> Given {
    let item = NewItem {
        tags: args.texts("tags"),
        source: Some(tools.caller.sender.name.clone()),
        ..NewItem::new(&args.the("kind"), args.the("content"))
    };
    answer::value(&tools.fleet.memory().add(item).await?)
}

/// The cursor is how many came before: a search ranks anew each time.
pub(super) async fn search(tools: &FleetTools, args: &Arguments) -> Given {
    let paging = Paging::of(args);
    let before: usize = args.parsed("cursor")?.unwrap_or(0);
    let wanted = before.saturating_add(paging.limit + 1).min(HITS_MAX);
    let mut hits = tools.fleet.memory().search(&args.the("query"), wanted).await?;
    let found = hits.split_off(before.min(hits.len()));
    paging.page("items", &found, "content", |count, _| (before + count).to_string())
}

pub(super) async fn list(tools: &FleetTools, args: &Arguments) -> Given {
    let paging = Paging::of(args);
    let query = Query {
        kind: args.text("kind").and_then(ItemKind::of),
        tags: args.texts("tags"),
        source: args.text("source").map(Into::into),
        since: args.parsed::<Timestamp>("since")?,
        until: args.parsed::<Timestamp>("until")?,
        text: args.text("text").map(Into::into),
        limit: Some(paging.limit + 1),
        cursor: args.parsed::<Cursor>("cursor")?,
        max_tokens: None,
    };
    let found = tools.fleet.memory().list(query).await?.items;
    paging.page("items", &found, "content", |_, last| Cursor { ts_ms: last.ts.as_millisecond(), id: last.id })
}

fn id(args: &Arguments) -> Result<u64, Refusal> {
    args.number("id").ok_or_else(|| Refusal::argument("id", "is missing"))
}

/// Two, where a stranger gave the id out twice.
pub(super) async fn get(tools: &FleetTools, args: &Arguments) -> Given {
    answer::value(&json!({ "items": tools.fleet.memory().get(id(args)?).await? }))
}

pub(super) async fn forget(tools: &FleetTools, args: &Arguments) -> Given {
    let id = id(args)?;
    let mark = tools.fleet.memory().forget(id).await?;
    answer::value(&json!({ "forgotten": id, "durable": mark.durable }))
}
