//! What the show prints.

use super::stage::Account;
use crate::{cli::output, deaths};
use coalmine_actors::view::PeerView;
use comfy_table::{Cell, CellAlignment, Color};

/// Lines of a screen that are shown.
pub(super) const SCREEN_LINES: usize = 4;

/// The last lines of a peer's screen, in a frame.
pub(super) fn screen(peer: &PeerView, screen: &str) -> String {
    let lines: Vec<_> = screen.lines().filter(|line| !line.trim().is_empty()).collect();
    let shown = &lines[lines.len().saturating_sub(SCREEN_LINES)..];
    let width = shown.iter().map(|line| line.chars().count()).max().unwrap_or(0).max(40);
    let mut text =
        format!("╭─ {} {}╮\n", peer.identity, "─".repeat(width.saturating_sub(peer.identity.to_string().len() + 1)));
    for line in shown {
        text.push_str(&format!("│ {line:<width$} │\n"));
    }
    text.push_str(&format!("╰{}╯", "─".repeat(width + 2)));
    text
}

/// What the fleet has on record, and what is left of the show.
pub(super) fn render(accounts: &[Account], left: &[i32]) -> String {
    let mut table =
        output::table(&["PEER", "WHAT WAS DONE", "STATUS", "CAUSE", "WITNESS", "DEATH → RECORD", "DEATH → UP AGAIN"]);
    for account in accounts {
        let recorded = account.records > 0;
        let quiet = |text: &str| Cell::new(text).fg(Color::DarkGrey);
        let ms = |value: Option<f64>, none: &str| match value {
            Some(ms) => Cell::new(format!("{ms:.1} ms")).set_alignment(CellAlignment::Right),
            None => quiet(none).set_alignment(CellAlignment::Right),
        };
        table.add_row([
            Cell::new(&account.identity),
            Cell::new(account.done),
            account
                .status
                .as_deref()
                .map_or_else(|| quiet("claimed"), |status| Cell::new(deaths::status_words(status)).fg(Color::Red)),
            account.cause.as_deref().map_or_else(|| quiet("stop"), Cell::new),
            account.witness.as_deref().map_or_else(|| quiet("none needed"), Cell::new),
            if recorded { ms(account.record_ms, "") } else { ms(None, "no record") },
            ms(account.up_again_ms, "stays down"),
        ]);
    }
    let ending = match left {
        [] => "Every death is explained, the fleet is gone, and nothing is left running.".to_owned(),
        left => format!("Still running, which is a fault: pid {left:?}"),
    };
    format!("{}\n\n{ending}", output::rendered(&mut table))
}
