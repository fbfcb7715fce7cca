//! Who else is there.

use super::mail::NAME_CHARS_MAX;
use crate::mcp::{
    answer::Given,
    arguments::{Arg, Arguments, Shape},
    page::{CURSOR, LIMIT, MAX_TOKENS, Paging},
    tool::{Hints, Row},
    toolbox::FleetTools,
};
use coalmine_actors::{fleet::resolve, view::PeerView};
use serde_json::{Value, json};

pub(super) static PEERS: Row = Row {
    name: "peers",
    title: "Who is in the fleet",
    about: "Lists the agents of the fleet by identity: their names, what each is for, how each is. A sleeping one is woken \
            by a message. The own entry is marked.",
    hints: Hints::READS,
    args: &[
        Arg::may("name", Shape::Text { chars_max: NAME_CHARS_MAX }, "only this personality or identity"),
        LIMIT,
        CURSOR,
        MAX_TOKENS,
    ],
};

pub(super) fn list(tools: &FleetTools, args: &Arguments) -> Given {
    let mut views = match args.text("name") {
        Some(name) => tools.fleet.show(name)?,
        None => tools.fleet.list(),
    };
    if let Some(cursor) = args.text("cursor") {
        views.retain(|view| view.identity.to_string().as_str() > cursor);
    }
    views.sort_by_cached_key(|view| view.identity.to_string());
    let paging = Paging::of(args);
    let found: Vec<_> = views.iter().take(paging.limit + 1).map(|view| entry(tools, view)).collect();
    paging.page("peers", &found, "description", |_, last| last["identity"].clone())
}

fn entry(tools: &FleetTools, view: &PeerView) -> Value {
    let document = tools.fleet.registry();
    let spec = resolve::spec(&document, &view.identity.to_string());
    json!({
        "identity": view.identity,
        "personality": view.personality,
        "runtime": view.runtime,
        "phase": view.phase,
        "detail": view.detail,
        "kind": spec.map(|spec| spec.intelligence).unwrap_or_default(),
        "description": spec.map(|spec| spec.description.as_str()).unwrap_or_default(),
        "self": tools.caller.peer.as_ref() == Some(&view.identity),
    })
}
