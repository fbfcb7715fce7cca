//! Makes foreign text safe to show: what a terminal obeys, and what hides or reorders text, is spelled out.

/// `text` with every character that is not simply visible as `\n`, `\r`, `\t` or `\u{1b}`.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            _ if c.is_control() || is_invisible(c) => safe.extend(c.escape_unicode()),
            _ => safe.push(c),
        }
    }
    safe
}

/// Characters without a shape of their own that change how others are read: bidi controls, zero-width characters,
/// line separators, interlinear marks, tags.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_obeys_is_spelled_out() {
        for (given, safe) in [
            ("cargo test", "cargo test"),
            ("Köln 漢字", "Köln 漢字"),
            ("\u{1b}]52;c;x\u{7}", "\\u{1b}]52;c;x\\u{7}"),
            ("a\u{202e}b\u{200b}c", "a\\u{202e}b\\u{200b}c"),
            ("\u{9b}31m\r\n\t\0", "\\u{9b}31m\\r\\n\\t\\u{0}"),
        ] {
            assert_eq!(escape(given), safe);
        }
    }

    proptest! {
        #[test]
        fn nothing_unsafe_is_left(text in any::<String>()) {
            prop_assert!(!escape(&text).chars().any(|c| c.is_control() || is_invisible(c)));
        }
    }
}
