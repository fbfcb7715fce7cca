//! A text of sections, each with a limit of bytes and of time.

use super::super::clock;
use super::{BODY_BYTES_MAX, SECTION_MS_MAX, escape::escape};
use std::io;

/// Longest section, bytes: the pane's last lines and the daemon's events fit, and none starves the others.
const SECTION_BYTES_MAX: usize = 48 * 1024;
/// Longest line of foreign text, bytes before escaping.
const LINE_BYTES_MAX: usize = 2 * 1024;
/// Room that a section needs for its name and the reason why it is cut, bytes.
const MARGIN_BYTES: usize = 256;

/// Why a section is not whole.
#[derive(Debug)]
pub(super) enum Skip {
    /// Its time, or that of the whole report, has passed.
    Late,
    /// Its room is full.
    Full,
    /// What it needs could not be had.
    Because(String),
}

impl From<io::Error> for Skip {
    fn from(error: io::Error) -> Self {
        Self::Because(error.to_string())
    }
}

/// The report while it grows.
pub(super) struct Report {
    text: String,
    /// When no further section begins, milliseconds since boot.
    ends_ms: u64,
}

impl Report {
    pub(super) fn new(ends_ms: u64) -> Self {
        Self { text: String::new(), ends_ms }
    }

    /// When a section that begins now must be done, milliseconds since boot.
    pub(super) fn section_ends(&self) -> u64 {
        self.ends_ms.min(clock::boot_ms() + SECTION_MS_MAX)
    }

    /// Adds the section `name`, filled by `fill` as far as its limits allow.
    pub(super) fn section(&mut self, name: &str, fill: impl FnOnce(&mut Section<'_>) -> Result<(), Skip>) {
        if self.text.len() + 2 * MARGIN_BYTES > BODY_BYTES_MAX {
            return;
        }
        self.text.extend(["\n[", name, "]\n"]);
        let until_ms = self.section_ends();
        let bytes_end = (self.text.len() + SECTION_BYTES_MAX).min(BODY_BYTES_MAX - MARGIN_BYTES);
        let filled = if clock::boot_ms() >= self.ends_ms {
            Err(Skip::Late)
        } else {
            fill(&mut Section { text: &mut self.text, bytes_end, until_ms })
        };
        match filled {
            Ok(()) => {}
            Err(Skip::Late) => self.text.push_str("skipped=out of time\n"),
            Err(Skip::Full) => self.text.push_str("skipped=out of room\n"),
            Err(Skip::Because(why)) => {
                self.text.push_str("skipped=");
                self.text.extend(escape(&why).chars().take(MARGIN_BYTES / 4));
                self.text.push('\n');
            }
        }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

/// One section while it is filled.
pub(super) struct Section<'a> {
    text: &'a mut String,
    bytes_end: usize,
    until_ms: u64,
}

impl Section<'_> {
    /// Fails once the section's time has passed.
    pub(super) fn check_time(&self) -> Result<(), Skip> {
        if clock::boot_ms() < self.until_ms { Ok(()) } else { Err(Skip::Late) }
    }

    /// When the section must be done, milliseconds since boot.
    pub(super) fn until_ms(&self) -> u64 {
        self.until_ms
    }

    /// Adds a line of ours.
    pub(super) fn line(&mut self, line: &str) -> Result<(), Skip> {
        self.check_time()?;
        if self.text.len() + line.len() + 1 > self.bytes_end {
            return Err(Skip::Full);
        }
        self.text.extend([line, "\n"]);
        Ok(())
    }

    /// Adds a line that somebody else wrote: escaped, cut, and marked so that it can not pass for one of ours.
    pub(super) fn foreign(&mut self, line: &str) -> Result<(), Skip> {
        self.line(&marked(line))
    }

    /// Adds the last of `lines` that fit, in their order; like [`Section::foreign`].
    pub(super) fn foreign_tail(&mut self, lines: &[&str]) -> Result<(), Skip> {
        let mut room = self.bytes_end.saturating_sub(self.text.len());
        let fits = |line: &String| {
            let left = room.checked_sub(line.len() + 1);
            room = left.unwrap_or(0);
            left.is_some()
        };
        let tail: Vec<String> = lines.iter().rev().map(|line| marked(line)).take_while(fits).collect();
        tail.iter().rev().try_for_each(|line| self.line(line))?;
        if tail.len() < lines.len() { Err(Skip::Full) } else { Ok(()) }
    }
}

/// A foreign line as it is shown.
fn marked(line: &str) -> String {
    let (head, cut) = match line.char_indices().map(|(at, _)| at).find(|&at| at > LINE_BYTES_MAX) {
        Some(at) => (&line[..at], " …"),
        None => (line, ""),
    };
    format!("| {}{cut}", escape(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ms: u64) -> Report {
        Report::new(clock::boot_ms() + ms)
    }

    #[test]
    fn a_section_without_end_is_cut_and_the_next_one_stands() {
        let mut report = report(60_000);
        for _ in 0..20 {
            report.section("flood", |section| {
                loop {
                    section.until_ms = u64::MAX;
                    section.foreign(&"\u{202e}".repeat(LINE_BYTES_MAX))?;
                }
            });
        }
        report.section("last", |section| section.line("x"));
        let text = report.into_text();
        assert!(text.len() <= BODY_BYTES_MAX, "{}", text.len());
        assert!(text.contains("\n[flood]\n") && text.contains("skipped=out of room"));
    }

    #[test]
    fn of_too_many_lines_the_last_ones_stay() {
        let lines: Vec<String> = (0..SECTION_BYTES_MAX).map(|n| n.to_string()).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mut report = report(60_000);
        report.section("pane log", |section| {
            section.until_ms = u64::MAX;
            section.foreign_tail(&lines)
        });
        let text = report.into_text();
        assert!(text.ends_with(&format!("| {}\nskipped=out of room\n", SECTION_BYTES_MAX - 1)));
        assert!(text.len() < SECTION_BYTES_MAX + MARGIN_BYTES);
    }

    #[test]
    fn a_late_report_names_its_sections_and_skips_them() {
        let mut report = report(0);
        report.section("pane log", |section| section.line("never"));
        assert_eq!(report.into_text(), "\n[pane log]\nskipped=out of time\n");
    }

    #[test]
    fn a_foreign_line_can_not_pass_for_a_section() {
        let mut report = report(60_000);
        report.section("a", |section| section.foreign("[b]\n[c]"));
        report.section("d", |_| Err(Skip::Because("no\nsuch".into())));
        assert_eq!(report.into_text(), "\n[a]\n| [b]\\n[c]\n\n[d]\nskipped=no\\nsuch\n");
    }
}
