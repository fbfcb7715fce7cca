//! What people see: tables without borders, states in colour, and one JSON document for programs.

use super::{context::Offline, failure::Outcome};
use crate::{age, api::wire::SCHEMA_VERSION, text::one_line};
use anstyle::{AnsiColor, Style};
use coalmine_actors::{
    mail::Waits,
    view::{PeerView, PhaseName},
};
use comfy_table::{Attribute, Cell, Color, Table, presets};
use jiff::Timestamp;
use serde::Serialize;
use std::io::Write;

/// A command's longest text in a table, characters.
const COMMAND_CHARS_MAX: usize = 60;

const QUIET: Style = AnsiColor::BrightBlack.on_default();

/// Writes text to stdout; colours are dropped where nobody sees them or `NO_COLOR` forbids them.
pub(super) fn print(text: &str) -> Outcome {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

/// Writes bytes to stdout exactly as they are: what other programs read has no colours to drop.
pub(super) fn raw(bytes: &[u8]) -> Outcome {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// A word aside, to stderr.
pub(super) fn note(text: &str) {
    aside(&format!("{QUIET}{text}{QUIET:#}"));
}

/// The same, in a style of its own.
pub(super) fn aside(text: &str) {
    let _unheard = writeln!(anstream::stderr(), "{text}");
}

/// One value as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("what is shown has only text keys")
}

/// One document, `{"schema_version":1,"data":…}`; what was read without a daemon says so beside the data.
pub(super) fn document<T: Serialize>(data: &T, offline: Option<Offline>) -> Outcome {
    #[derive(Serialize)]
    struct Document<'a, T> {
        schema_version: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        daemon: Option<&'static str>,
        data: &'a T,
    }
    print(&json(&Document { schema_version: SCHEMA_VERSION, daemon: offline.map(Offline::words), data }))
}

/// Text below the heading that says that no daemon was asked.
pub(super) fn headed(text: &str, offline: Option<Offline>) -> Outcome {
    match offline {
        Some(why) => print(&format!("{QUIET}daemon: {}{QUIET:#}\n\n{text}", why.words())),
        None => print(text),
    }
}

/// A table without borders, with this header (none where it is empty).
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    // Styled always: who writes it out drops what nobody sees.
    table.load_preset(presets::NOTHING).enforce_styling();
    if !header.is_empty() {
        table.set_header(header.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    }
    table
}

/// A table as text: two spaces between columns, none at the lines' ends.
pub(super) fn rendered(table: &mut Table) -> String {
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    table.lines().map(|line| trimmed(&line)).collect::<Vec<_>>().join("\n")
}

/// A line without the spaces at its end, which may stand before the end of a style.
fn trimmed(line: &str) -> String {
    let line = line.trim_end();
    for reset in ["\u{1b}[0m", "\u{1b}[39m"] {
        if let Some(styled) = line.strip_suffix(reset) {
            return format!("{}{reset}", styled.trim_end());
        }
    }
    line.to_owned()
}

/// A key in a card.
pub(super) fn key(name: &str) -> Cell {
    Cell::new(name).fg(Color::DarkGrey)
}

/// A peer's state with its marks, coloured.
pub(super) fn state(peer: &PeerView) -> Cell {
    let marks = [(peer.unreachable, "unreachable"), (peer.unwatched, "unwatched")];
    let marks: Vec<_> = marks.iter().filter(|(set, _)| *set).map(|(_, mark)| *mark).collect();
    let state = peer.state(Timestamp::now());
    let text = if marks.is_empty() { state } else { format!("{state} ({})", marks.join(", ")) };
    let color = if marks.is_empty() { phase_color(peer.phase) } else { Color::Yellow };
    Cell::new(text).fg(color)
}

/// Green runs, yellow wants a look, red is down against its will, grey rests.
pub(super) fn phase_color(phase: PhaseName) -> Color {
    match phase {
        PhaseName::Up => Color::Green,
        PhaseName::Starting | PhaseName::NeedsAttention | PhaseName::Stopping | PhaseName::Backoff => Color::Yellow,
        PhaseName::Quarantined | PhaseName::Blocked => Color::Red,
        PhaseName::Asleep | PhaseName::Stopped => Color::DarkGrey,
    }
}

/// A peer's state as a sentence: `claude-bob is up (gen 7)`, with what it waits for.
pub(super) fn sentence(peer: &PeerView) -> String {
    let detail = if peer.detail.is_empty() { String::new() } else { format!(": {}", one_line(&peer.detail, 200)) };
    format!("{} is {}{detail} (gen {})", peer.identity, peer.state(Timestamp::now()), peer.generation)
}

/// A peer's name, state and life above a card: `claude-bob is up (gen 7)`, the state in its colour.
pub(super) fn titled(peer: &PeerView) -> String {
    let mut line = table(&[]);
    line.add_row([Cell::new(format!("{} is", peer.identity)).add_attribute(Attribute::Bold), state(peer)]);
    line.column_iter_mut().for_each(|column| {
        column.set_padding((0, 1));
    });
    let line: Vec<_> = line.lines().map(|line| trimmed(&line)).collect();
    format!(
        "{} (gen {})",
        line.join(
            "
"
        ),
        peer.generation
    )
}

/// What somebody can do about a peer's state, where there is something.
pub(super) fn advice(peer: &PeerView) -> Option<String> {
    let identity = &peer.identity;
    match peer.phase {
        PhaseName::NeedsAttention => Some(format!("coalmine attach {identity}")),
        PhaseName::Quarantined => Some(format!("coalmine reset {identity}")),
        PhaseName::Blocked => Some(format!("coalmine explain {identity}")),
        _ => None,
    }
}

/// `3 messages wait, the oldest for 5m: `coalmine mail list claude-bob``
pub(super) fn waits(peer: &PeerView, waits: Waits, now: Timestamp) -> String {
    let Waits { count, since } = waits;
    let what = if count == 1 { "1 message waits".into() } else { format!("{count} messages wait, the oldest") };
    format!("{what} for {}: `coalmine mail list {}`", age::since(since, now), peer.identity)
}

/// A command on one line, made harmless and short.
pub(super) fn command(words: &[String]) -> String {
    one_line(&words.join(" "), COMMAND_CHARS_MAX)
}
