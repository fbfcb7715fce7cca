//! What the memory provider did, in words.

use super::output;
use crate::text::one_line;
use anstyle::{AnsiColor, Style};
use coalmine_actors::{names::Personality, provisioner::outcome::RuntimeReport};

const LOUD: Style = AnsiColor::Yellow.on_default().bold();
/// Longest line about one runtime, characters.
const REPORT_CHARS_MAX: usize = 500;

/// `claude:ok, codex:failed (…)`
pub(super) fn short(reports: &[RuntimeReport]) -> String {
    let each: Vec<_> = reports.iter().map(|report| one_line(&report.short(), REPORT_CHARS_MAX)).collect();
    each.join(", ")
}

/// A loud word on stderr where a peer was born without its memory, with what repairs that. Programs find it in the
/// document.
pub(super) fn warn_of_birth(peer: &Personality, reports: &[RuntimeReport]) {
    for report in reports.iter().filter(|report| !report.outcome.state.is_fine()) {
        let runtime = report.runtime.as_ref().map_or(String::new(), |runtime| format!("{runtime} "));
        let state = report.outcome.state.as_str().to_uppercase();
        let detail = one_line(&report.outcome.detail, REPORT_CHARS_MAX);
        output::aside(&format!(
            "{LOUD}warning{LOUD:#}: memory provision of {peer}: {runtime}{LOUD}{state}{LOUD:#}: {detail}\n\
             repair it with `coalmine memory-plugin on --peer {peer}`"
        ));
    }
}
