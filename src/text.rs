//! Makes captured text harmless before a terminal shows it: no byte of a peer's screen can drive the reader's.
//!
//! Removed are escape sequences with all that belongs to them, C0 (but `\n` and `\t`), DEL, C1, bidirectional
//! controls and characters without width. The order of what stays is the order of what came.

/// Longest string sequence (OSC, DCS, …) that is swallowed, characters. An unfinished one would hide all that
/// follows, so after this many, or at a line's end, text is text again.
const STRING_SEQUENCE_CHARS_MAX: usize = 4096;

/// Where the cleaner stands in a sequence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// In plain text.
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// In a control sequence: until a byte `@`..`~`.
    Control,
    /// In a string sequence: until BEL or ST.
    String { chars: usize },
    /// In a string sequence, after ESC, which ends it.
    StringEscape,
}

/// Cleans a stream: a sequence, or a character, may be cut anywhere between two calls.
#[derive(Debug, Clone, Default)]
pub struct Cleaner {
    place: Place,
    /// The bytes of a character that is not whole yet; at most 3.
    partial: Vec<u8>,
}

impl Cleaner {
    /// What of `bytes` is safe to show. Bytes that are not UTF-8 become U+FFFD.
    pub fn feed(&mut self, bytes: &[u8]) -> String {
        let mut pending = std::mem::take(&mut self.partial);
        pending.extend_from_slice(bytes);
        let mut clean = String::with_capacity(pending.len());
        let mut chunks = pending.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            chunk.valid().chars().for_each(|c| self.step(c, &mut clean));
            let invalid = chunk.invalid();
            if chunks.peek().is_none() && may_continue(invalid) {
                self.partial = invalid.to_vec();
            } else if !invalid.is_empty() {
                self.step(char::REPLACEMENT_CHARACTER, &mut clean);
            }
        }
        clean
    }

    fn step(&mut self, c: char, clean: &mut String) {
        self.place = match (self.place, c) {
            // A line's end ends everything: no sequence of a hostile screen reaches beyond its line.
            (_, '\n') => {
                clean.push('\n');
                Place::Text
            }
            (Place::String { .. }, '\u{07}' | '\u{9c}') | (Place::StringEscape, '\\') => Place::Text,
            (Place::String { .. }, '\u{1b}') => Place::StringEscape,
            (Place::String { chars }, _) if chars < STRING_SEQUENCE_CHARS_MAX => Place::String { chars: chars + 1 },
            (_, '\u{1b}') => Place::Escape,
            (_, '\u{9b}') | (Place::Escape | Place::StringEscape, '[') => Place::Control,
            (_, '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}')
            | (Place::Escape | Place::StringEscape, 'P' | 'X' | ']' | '^' | '_') => Place::String { chars: 0 },
            // Intermediate bytes: `ESC ( B` and the like.
            (Place::Escape | Place::StringEscape, ' '..='/') => Place::Escape,
            (Place::Escape | Place::StringEscape, '0'..='~') => Place::Text,
            (Place::Control, ' '..='?') => Place::Control,
            (Place::Control, '@'..='~') => Place::Text,
            (_, c) => {
                if is_harmless(c) {
                    clean.push(c);
                }
                Place::Text
            }
        };
    }
}

/// Whether these bytes at a chunk's end can be the beginning of a character.
fn may_continue(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// Whether a character only shows itself.
fn is_harmless(c: char) -> bool {
    if c.is_control() {
        return matches!(c, '\n' | '\t');
    }
    !matches!(c,
        // Bidirectional marks, embeddings, overrides and isolates.
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        // Without width: soft hyphen, joiners, fillers, invisible operators, byte order mark, tags.
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        // Line breaks that a terminal does not count.
        | '\u{2028}' | '\u{2029}')
}

/// `text` without anything that could drive a terminal or hide from its reader.
pub fn harmless(text: &str) -> String {
    Cleaner::default().feed(text.as_bytes())
}

/// `text` on one line: made harmless, white space collapsed, cut to `chars_max` characters with an ellipsis.
pub fn one_line(text: &str, chars_max: usize) -> String {
    let text = harmless(text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= chars_max {
        return line;
    }
    line.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sequences_go_with_all_that_belongs_to_them() {
        for (given, shown) in [
            ("plain", "plain"),
            ("a\u{1b}[31mred\u{1b}[0m b", "ared b"),
            ("\u{1b}]0;title\u{07}text", "text"),
            ("\u{1b}]52;c;aGk=\u{1b}\\text", "text"),
            ("\u{1b}Pq#0\u{1b}\\text", "text"),
            ("\u{1b}(Bx\u{1b}=y\u{1b}7z", "xyz"),
            ("\u{9b}2Jx", "x"),
            ("a\r\nb\tc\u{08}\u{7f}", "a\nb\tc"),
            ("user\u{202e}gpj.exe", "usergpj.exe"),
            ("zero\u{200b}width\u{feff}", "zerowidth"),
            ("\u{1b}]unfinished\nnext line", "\nnext line"),
        ] {
            assert_eq!(harmless(given), shown, "{given:?}");
        }
    }

    #[test]
    fn an_unfinished_string_does_not_hide_the_rest_for_ever() {
        let hostile = format!("\u{1b}]{}visible", "x".repeat(STRING_SEQUENCE_CHARS_MAX));
        assert_eq!(harmless(&hostile), "visible");
    }

    #[test]
    fn a_long_text_is_cut_to_one_line() {
        assert_eq!(one_line("a\n  b\tc", 20), "a b c");
        assert_eq!(one_line("abcdef", 4), "abc…");
    }

    fn hostile_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            any::<String>(),
            Just("\u{1b}".to_owned()),
            Just("\u{1b}]".to_owned()),
            Just("\u{1b}[".to_owned()),
            Just("\u{9b}".to_owned()),
            Just("\u{202e}".to_owned()),
            Just("\u{200b}".to_owned()),
            "[ -~\n]{0,8}",
        ];
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_is_shown_holds_nothing_that_drives_a_terminal(text in hostile_text()) {
            let shown = harmless(&text);
            prop_assert!(shown.chars().all(is_harmless), "{shown:?}");
            prop_assert_eq!(harmless(&shown), shown.clone());
            prop_assert_eq!(shown.matches('\n').count(), text.matches('\n').count());
        }

        #[test]
        fn a_stream_may_be_cut_anywhere(text in hostile_text(), cut in any::<prop::sample::Index>()) {
            let bytes = text.as_bytes();
            let (head, tail) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut cleaner = Cleaner::default();
            let shown = cleaner.feed(head) + &cleaner.feed(tail);
            prop_assert_eq!(shown, harmless(&text));
        }

        #[test]
        fn printable_ascii_is_left_alone(text in "[ -~\n\t]{0,200}") {
            prop_assert_eq!(harmless(&text), text);
        }
    }
}
