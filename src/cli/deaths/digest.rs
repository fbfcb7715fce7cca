//! What of a record's forensics fits on a screen: of each section the lines that tell the most. Pure.

use crate::text::one_line;

/// Longest line, characters.
const LINE_CHARS_MAX: usize = 110;

/// Which end of a section tells the most, and how many lines of it are shown.
enum Part {
    First(usize),
    Last(usize),
    /// The lines that begin with one of these.
    Only(&'static [&'static str]),
}

/// The sections in the order in which they are read: how it ended, what the kernel says, what was around it, what
/// the program printed last, what the daemon saw.
const PARTS: [(&str, Part); 8] = [
    ("end", Part::First(6)),
    ("oom", Part::First(4)),
    ("kernel log", Part::Last(5)),
    ("core dumps", Part::First(3)),
    ("processes", Part::First(7)),
    ("meminfo", Part::Only(&["MemTotal:", "MemAvailable:", "SwapTotal:", "SwapFree:"])),
    ("pane log", Part::Last(15)),
    ("events", Part::Last(8)),
];

/// The digest of a whole record.
pub(super) fn digest(record: &str) -> String {
    let sections = sections(record);
    let shown = PARTS.iter().filter_map(|(name, part)| {
        let (_, lines) = sections.iter().find(|(found, _)| found == name)?;
        Some(shown(name, lines, part)).filter(|text| !text.is_empty())
    });
    shown.collect::<Vec<_>>().join("\n\n")
}

/// The sections by name. Foreign lines begin with `| `, so none of them can pass for a name.
fn sections(record: &str) -> Vec<(&str, Vec<&str>)> {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in record.lines() {
        match line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            Some(name) => sections.push((name, Vec::new())),
            None => {
                let line = line.strip_prefix("| ").or(line.strip_prefix('|')).unwrap_or(line);
                if let Some((_, lines)) = sections.last_mut().filter(|_| !line.trim().is_empty()) {
                    lines.push(line);
                }
            }
        }
    }
    sections
}

fn shown(name: &str, lines: &[&str], part: &Part) -> String {
    let kept: Vec<&str> = match part {
        Part::First(count) => lines.iter().take(*count).copied().collect(),
        Part::Last(count) => lines[lines.len().saturating_sub(*count)..].to_vec(),
        Part::Only(heads) => {
            lines.iter().filter(|line| heads.iter().any(|head| line.starts_with(head))).copied().collect()
        }
    };
    if kept.is_empty() {
        return String::new();
    }
    let more = lines.len() - kept.len();
    let more = if more == 0 { String::new() } else { format!(" ({} of {} lines)", kept.len(), lines.len()) };
    let lines: Vec<_> = kept.iter().map(|line| format!("  {}", one_line(line, LINE_CHARS_MAX))).collect();
    format!("{name}{more}\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_becomes_a_screenful_in_the_order_in_which_it_is_read() {
        let pane: String = (1..=20).map(|line| format!("| line {line}\n")).collect();
        let record = format!(
            "ts=1\nstatus=signal:9\n\n[meminfo]\n| MemTotal: 1 kB\n| Dirty: 2 kB\n\n[end]\nstatus=signal:9\n\n\
             [loadavg]\n| 1\n\n[pane log]\n{pane}| [end]\n| \u{1b}[31mred\n"
        );
        let text = digest(&record);
        let order: Vec<_> =
            ["end\n  status=signal:9", "meminfo (1 of 2 lines)\n  MemTotal: 1 kB", "pane log (15 of 22"]
                .map(|part| text.find(part).unwrap_or_else(|| panic!("{part:?} is not in {text}")))
                .into();
        assert!(order.is_sorted(), "{text}");
        assert!(text.ends_with("  line 20\n  [end]\n  red") && !text.contains("loadavg"), "{text}");
    }

    #[test]
    fn a_long_line_is_cut_and_a_strange_record_has_no_digest() {
        let text = digest(&format!("[processes]\n{}\n", "x".repeat(500)));
        assert_eq!(text.lines().last().unwrap().chars().count(), LINE_CHARS_MAX + 2);
        assert_eq!(digest("no sections"), "");
    }
}
