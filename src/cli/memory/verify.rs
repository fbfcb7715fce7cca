//! `coalmine memory verify`: looks at every line of the file.

use super::{reach, stats};
use crate::{
    cli::{
        context::Context,
        failure::{Failure, Outcome},
    },
    io::memory::{read_bytes, torn_count},
    text::one_line,
};
use coalmine_actors::memory::verify::{Verified, verify};

/// Longest reason in a line, characters.
const WHY_CHARS_MAX: usize = 160;

/// Look at every line of the file, and list those that are not as they should be
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

pub(super) async fn run(context: &Context, _args: Args) -> Outcome {
    // The file itself, whoever holds it: what is on disk is the question.
    let path = reach::places(context).0;
    let found = verify(read_bytes(&path)?, torn_count(&path));
    context.answer(&found, text)?;
    if found.is_clean() { Ok(()) } else { Err(Failure::degraded()) }
}

fn text(found: &Verified) -> String {
    let mut text = stats::text(&found.stats);
    for bad in &found.bad {
        let why = one_line(&bad.why, WHY_CHARS_MAX);
        let id = bad.id.map_or(String::new(), |id| format!(", id {id}?"));
        text.push_str(&format!("\nline {} (offset {}{id}): {why}", bad.line, bad.offset));
    }
    for id in &found.doubles {
        text.push_str(&format!("\nid {id} is there more than once; `coalmine memory forget {id}` hides all of them"));
    }
    if found.torn_bytes > 0 {
        text.push_str(&format!("\n{} bytes at the end are no whole line: being written, or torn", found.torn_bytes));
    }
    if found.is_clean() {
        let sealed = if found.unsealed == 0 { String::new() } else { format!("; {} carry no crc", found.unsealed) };
        text.push_str(&format!("\nevery line is as it should be{sealed}"));
    } else if found.stats.bad_lines > 0 {
        text.push_str("\na bad line hides nothing but itself; mend it with an editor while no daemon runs");
    }
    text
}
