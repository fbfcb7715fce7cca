//! Reads a captured screen as the program's own composer: is it there, does it hold something, may it be typed into?

use super::screen::bottom;
use coalmine_actors::{
    mail::{Holds, Typing},
    names::Runtime,
};
use dashmap::DashMap;
use regex::Regex;
use std::sync::Arc;

/// The patterns of each runtime, compiled when they are first needed, and again when they have changed.
#[derive(Default)]
pub(super) struct Judges(DashMap<Runtime, (Arc<Typing>, Arc<Judge>)>);

impl Judges {
    /// The judge of this runtime's screens.
    pub(super) fn of(&self, runtime: &Runtime, typing: &Arc<Typing>) -> Result<Arc<Judge>, regex::Error> {
        if let Some(known) = self.0.get(runtime).filter(|known| known.0 == *typing) {
            return Ok(Arc::clone(&known.1));
        }
        let judge = Arc::new(Judge::new(typing)?);
        self.0.insert(runtime.clone(), (Arc::clone(typing), Arc::clone(&judge)));
        Ok(judge)
    }
}

/// One runtime's patterns.
pub(super) struct Judge {
    shown: Regex,
    empty: Regex,
    busy: Option<Regex>,
    dialogs: Vec<(String, Regex)>,
}

/// What a screen shows of a composer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) composer: Holds,
    pub(super) busy: bool,
    pub(super) dialog: Option<String>,
}

impl Judge {
    fn new(Typing { composer, dialogs }: &Typing) -> Result<Self, regex::Error> {
        let dialogs = dialogs.iter().map(|dialog| Ok((dialog.what.clone(), Regex::new(&dialog.screen)?)));
        Ok(Self {
            shown: Regex::new(&composer.shown)?,
            empty: Regex::new(&composer.empty)?,
            busy: composer.busy.as_deref().map(Regex::new).transpose()?,
            dialogs: dialogs.collect::<Result<_, regex::Error>>()?,
        })
    }

    /// Judges a screen that was captured with its attributes.
    pub(super) fn judge(&self, captured: &str) -> Judged {
        let screen = Screen::read(captured);
        let last_lines = bottom(&screen.text);
        Judged {
            composer: self.holds(&screen),
            busy: self.busy.as_ref().is_some_and(|busy| busy.is_match(&last_lines)),
            dialog: self.dialogs.iter().find(|(_, dialog)| dialog.is_match(&last_lines)).map(|(what, _)| what.clone()),
        }
    }

    fn holds(&self, screen: &Screen) -> Holds {
        let Some(shown) = self.shown.find_iter(&screen.text).last() else { return Holds::Absent };
        let line = screen.text[..shown.end()].matches('\n').count();
        let line = screen.without_hints.lines().nth(line).unwrap_or_default();
        if self.empty.is_match(line) { Holds::Nothing } else { Holds::Something }
    }
}

/// A screen as text, line by line.
struct Screen {
    text: String,
    /// The same, where what is drawn faint is blank.
    without_hints: String,
}

impl Screen {
    /// Understands what `capture-pane -e` writes: text, and sequences that set attributes.
    fn read(captured: &str) -> Self {
        let mut screen = Self { text: String::new(), without_hints: String::new() };
        for line in captured.lines() {
            screen.line(&pieces(line));
        }
        screen
    }

    fn line(&mut self, pieces: &[Piece<'_>]) {
        for (index, piece) in pieces.iter().enumerate() {
            // A cursor that is drawn upon a hint shows its first letter reversed, and the rest of it faint.
            let on_hint = piece.reverse
                && piece.text.chars().count() == 1
                && pieces.get(index + 1).is_some_and(|next| next.faint);
            self.text.push_str(piece.text);
            for c in piece.text.chars() {
                self.without_hints.push(if piece.faint || on_hint { ' ' } else { c });
            }
        }
        self.text.push('\n');
        self.without_hints.push('\n');
    }
}

/// Text with the same attributes.
struct Piece<'l> {
    text: &'l str,
    faint: bool,
    reverse: bool,
}

/// Takes a line apart. Each line begins without attributes that were not said: tmux says them anew.
fn pieces(line: &str) -> Vec<Piece<'_>> {
    let (mut faint, mut reverse) = (false, false);
    let mut pieces = Vec::new();
    let mut rest = line;
    while !rest.is_empty() {
        let end = rest.find('\u{1b}').unwrap_or(rest.len());
        if end > 0 {
            pieces.push(Piece { text: &rest[..end], faint, reverse });
        }
        rest = &rest[end..];
        let Some(sequence) = rest.strip_prefix('\u{1b}') else { continue };
        // Its last character; what is cut off is no text either.
        let length = sequence.find(|c: char| c.is_ascii_alphabetic() || c == '\\').map_or(sequence.len(), |at| at + 1);
        if let Some(attributes) = sequence[..length].strip_prefix('[').and_then(|inner| inner.strip_suffix('m')) {
            apply(attributes, &mut faint, &mut reverse);
        }
        rest = &sequence[length..];
    }
    pieces
}

/// What a `CSI … m` does to the two attributes that matter.
fn apply(attributes: &str, faint: &mut bool, reverse: &mut bool) {
    let mut numbers = attributes.split(';').map(|number| number.parse().unwrap_or(0u16));
    while let Some(number) = numbers.next() {
        match number {
            0 => (*faint, *reverse) = (false, false),
            2 => *faint = true,
            22 => *faint = false,
            7 => *reverse = true,
            27 => *reverse = false,
            // A colour by number or by its parts: those are no attributes.
            38 | 48 | 58 => match numbers.next() {
                Some(5) => drop(numbers.next()),
                Some(2) => drop(numbers.nth(2)),
                _ => {}
            },
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coalmine_actors::runtime::RuntimeDef;

    fn judge(runtime: &str, screen: &str) -> Judged {
        let RuntimeDef { composer, attention, .. } =
            crate::runtimes::built_in()[&runtime.parse::<Runtime>().unwrap()].clone();
        let typing = Arc::new(Typing { composer: composer.unwrap(), dialogs: attention });
        Judges::default().of(&runtime.parse().unwrap(), &typing).unwrap().judge(screen)
    }

    #[test]
    fn a_composer_is_read_as_a_person_would() {
        use Holds::{Absent, Nothing, Something};
        let rule = "─".repeat(60);
        let framed = |line: &str| format!("● Done.\n{rule}\n{line}\n{rule}\n  ? for shortcuts\n");
        let boxed = |line: &str| format!("╭{rule}╮\n│ {line}    │\n╰{rule}╯\n  ? for shortcuts\n");
        let rows: [(&str, String, Holds); 16] = [
            ("claude", framed("❯"), Nothing),
            ("claude", framed("❯ \u{1b}[2mTry \"edit main.rs\"\u{1b}[0m"), Nothing),
            ("claude", framed("❯ \u{1b}[7mT\u{1b}[0;2mry \"edit main.rs\"\u{1b}[0m"), Nothing),
            ("claude", framed("❯ \u{1b}[7m \u{1b}[0m"), Nothing),
            ("claude", framed("❯ h"), Something),
            ("claude", framed("❯ \u{1b}[38;5;2mhello\u{1b}[39m"), Something),
            ("claude", framed("❯ [Pasted text #1 +12 lines]"), Something),
            ("claude", boxed("> "), Nothing),
            ("claude", boxed("> <coalmine-message id=\"x\">"), Something),
            ("claude", format!("\u{1b}[2m{rule}\u{1b}[0m\n❯ \n\u{1b}[2m{rule}\u{1b}[0m"), Nothing),
            ("claude", "● The prompt is ❯ and there is no composer.\n❯ 1. Yes\n".into(), Absent),
            (
                "codex",
                "› an earlier prompt\n• ok\n\n› \u{1b}[2mAsk Codex to do anything\u{1b}[0m\n\n  ? for shortcuts".into(),
                Nothing,
            ),
            ("codex", "› <coalmine-message id=\"x\">\n  hello\n\n  ? for shortcuts".into(), Something),
            ("codex", "› [Pasted Content 1200 chars]\n".into(), Something),
            ("codex", "Sign in\n› 1. Sign in with ChatGPT\n".into(), Absent),
            ("codex", String::new(), Absent),
        ];
        for (runtime, screen, holds) in rows {
            assert_eq!(judge(runtime, &screen).composer, holds, "{runtime}:\n{screen}");
        }
    }

    #[test]
    fn a_program_that_works_is_busy_and_one_that_speaks_of_it_is_not() {
        let rule = "─".repeat(60);
        for (above, busy) in [
            ("✻ Thinking… (12s · ↑ 1.2k tokens · esc to interrupt)", true),
            ("✻ Thinking… (esc to interrupt)", true),
            ("● Press esc to interrupt me.", false),
        ] {
            assert_eq!(judge("claude", &format!("{above}\n\n{rule}\n❯ \n{rule}")).busy, busy, "{above}");
        }
        assert!(judge("codex", "• Working (3s • esc to interrupt)\n\n› \n").busy);
    }

    #[test]
    fn a_dialog_before_a_composer_is_named() {
        let screen = " Do you trust the files in this folder?\n ❯ 1. Yes, proceed\n   2. No\n";
        assert_eq!(judge("claude", screen).dialog.as_deref(), Some("trust"));
    }
}
