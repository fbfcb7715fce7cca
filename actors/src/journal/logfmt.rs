//! logfmt, one event a line: no value can forge a line or a field.
//!
//! `key=value key="a value"`. A value is quoted when it is empty or holds white space, `"`, `=` or a control
//! character; inside quotes `\`, `"` and all control characters are escaped (`\n`, `\r`, `\t`, `\u{1b}`).
//! This file stands alone (std only): the helper compiles it too, so that all writers share one rule.

use std::{error, fmt};

/// A line that is not logfmt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadLine {
    /// Where, in bytes from the line's start.
    pub at: usize,
    /// What is wrong there.
    pub why: Why,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// A field starts with something else than `a-z`, `0-9` or `_`.
    NoKey,
    /// A key is not followed by `=`.
    NoEquals,
    /// A bare value holds `"`, `=` or a control character.
    NeedsQuotes,
    /// A quoted value holds a control character that is not escaped.
    BareControl,
    /// A quoted value does not end.
    Unclosed,
    /// A backslash is followed by no known escape.
    BadEscape,
    /// A closing quote is not followed by a space.
    NoSpace,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.why {
            Why::NoKey => "a key must stand here",
            Why::NoEquals => "`=` must follow the key",
            Why::NeedsQuotes => "this character needs quotes",
            Why::BareControl => "a control character must be escaped",
            Why::Unclosed => "the quoted value does not end",
            Why::BadEscape => "unknown escape",
            Why::NoSpace => "a space must follow the closing quote",
        };
        write!(f, "byte {}: {what}", self.at)
    }
}

impl error::Error for BadLine {}

/// Whether `key` can name a field: one or more of `a-z`, `0-9` and `_`.
pub fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(is_key_byte)
}

/// Appends ` key=value` to `line`, without the space where the line is still empty.
///
/// The value may be any text. The key is ours: [`is_key`] must hold for it.
pub fn push(line: &mut String, key: &str, value: &str) {
    debug_assert!(is_key(key), "{key:?} can not name a field");
    if !line.is_empty() {
        line.push(' ');
    }
    line.push_str(key);
    line.push('=');
    push_value(line, value);
}

/// One line of `fields`, in order, without a final `\n`.
pub fn line<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut line = String::new();
    for (key, value) in fields {
        push(&mut line, key, value);
    }
    line
}

/// The fields of a line, in order; a key that stands there twice is there twice.
///
/// # Errors
/// [`BadLine`] says where the first fault is and which.
pub fn parse(line: &str) -> Result<Vec<(String, String)>, BadLine> {
    let mut fields = Vec::new();
    let mut rest = Cursor { line, at: 0 };
    while rest.skip_spaces() {
        let key = rest.key()?;
        let value = if rest.eat('"') { rest.quoted()? } else { rest.bare()? };
        fields.push((key, value));
    }
    Ok(fields)
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

fn push_value(line: &mut String, value: &str) {
    let needs_quotes = |c: char| c.is_whitespace() || c.is_control() || c == '"' || c == '=';
    if !value.is_empty() && !value.contains(needs_quotes) {
        line.push_str(value);
        return;
    }
    line.push('"');
    for c in value.chars() {
        match c {
            '\\' | '"' => line.extend(['\\', c]),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            _ if c.is_control() => line.extend(c.escape_unicode()),
            _ => line.push(c),
        }
    }
    line.push('"');
}

/// How far a line is read.
struct Cursor<'a> {
    line: &'a str,
    /// Byte offset of the next character; always on a character's boundary.
    at: usize,
}

impl Cursor<'_> {
    fn rest(&self) -> &str {
        &self.line[self.at..]
    }

    fn bad<T>(&self, why: Why) -> Result<T, BadLine> {
        Err(BadLine { at: self.at, why })
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest().chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.rest().starts_with(wanted);
        self.at += if found { wanted.len_utf8() } else { 0 };
        found
    }

    /// Whether anything is left after the spaces.
    fn skip_spaces(&mut self) -> bool {
        while self.eat(' ') {}
        self.at < self.line.len()
    }

    fn key(&mut self) -> Result<String, BadLine> {
        let length = self.rest().bytes().take_while(|&byte| is_key_byte(byte)).count();
        if length == 0 {
            return self.bad(Why::NoKey);
        }
        let key = self.rest()[..length].to_owned();
        self.at += length;
        if self.eat('=') { Ok(key) } else { self.bad(Why::NoEquals) }
    }

    /// A value up to the next space. An empty one is taken too: other programs write it so.
    fn bare(&mut self) -> Result<String, BadLine> {
        let length = self.rest().find(' ').unwrap_or(self.rest().len());
        let value = self.rest()[..length].to_owned();
        match value.find(|c: char| c.is_control() || c == '"' || c == '=') {
            Some(offset) => Err(BadLine { at: self.at + offset, why: Why::NeedsQuotes }),
            None => {
                self.at += length;
                Ok(value)
            }
        }
    }

    /// A value after its opening quote, up to and with the closing one.
    fn quoted(&mut self) -> Result<String, BadLine> {
        let mut value = String::new();
        loop {
            let start = self.at;
            match self.next() {
                None => return self.bad(Why::Unclosed),
                Some('"') if self.rest().is_empty() || self.rest().starts_with(' ') => return Ok(value),
                Some('"') => return self.bad(Why::NoSpace),
                Some('\\') => match self.escape() {
                    Some(c) => value.push(c),
                    None => return Err(BadLine { at: start, why: Why::BadEscape }),
                },
                Some(c) if c.is_control() => return Err(BadLine { at: start, why: Why::BareControl }),
                Some(c) => value.push(c),
            }
        }
    }

    /// What stands for a character after a backslash.
    fn escape(&mut self) -> Option<char> {
        match self.next()? {
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            c @ ('\\' | '"') => Some(c),
            'u' => {
                let (digits, _) = self.rest().strip_prefix('{')?.split_once('}')?;
                let plain = (1..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let code = if plain { u32::from_str_radix(digits, 16).ok()? } else { return None };
                self.at += digits.len() + "{}".len();
                char::from_u32(code)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_is_quoted_only_where_it_must_be() {
        for (value, written) in [
            ("up", "v=up"),
            ("/a\\b", "v=/a\\b"),
            ("privét", "v=privét"),
            ("", "v=\"\""),
            ("a b", "v=\"a b\""),
            ("a=b", "v=\"a=b\""),
            ("a\u{a0}b", "v=\"a\u{a0}b\""),
            ("say \"x\\\"", "v=\"say \\\"x\\\\\\\"\""),
            ("\u{1b}[2J\n\t\r", "v=\"\\u{1b}[2J\\n\\t\\r\""),
            ("\u{85}", "v=\"\\u{85}\""),
        ] {
            assert_eq!(line([("v", value)]), written);
            assert_eq!(parse(written), Ok(vec![("v".into(), value.into())]));
        }
    }

    #[test]
    fn a_bad_line_is_refused_with_its_place() {
        for (given, at, why) in [
            ("=x", 0, Why::NoKey),
            ("a=1 B=2", 4, Why::NoKey),
            ("a", 1, Why::NoEquals),
            ("a b=1", 1, Why::NoEquals),
            ("a=b=c", 3, Why::NeedsQuotes),
            ("a=b\"", 3, Why::NeedsQuotes),
            ("a=b\nc=d", 3, Why::NeedsQuotes),
            ("a=\"b\nc\"", 4, Why::BareControl),
            ("a=\"b", 4, Why::Unclosed),
            ("a=\"b\\", 4, Why::BadEscape),
            ("a=\"\\q\"", 3, Why::BadEscape),
            ("a=\"\\u{d800}\"", 3, Why::BadEscape),
            ("a=\"\\u{}\"", 3, Why::BadEscape),
            ("a=\"\\u{+1b}\"", 3, Why::BadEscape),
            ("a=\"b\"c=d", 5, Why::NoSpace),
        ] {
            assert_eq!(parse(given), Err(BadLine { at, why }), "{given:?}");
        }
    }

    #[test]
    fn spaces_around_fields_and_empty_bare_values_are_taken() {
        assert_eq!(parse("  a=  b=1 "), Ok(vec![("a".into(), String::new()), ("b".into(), "1".into())]));
        assert_eq!(parse(""), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(fields in prop::collection::vec(("[a-z_]+", any::<String>()), 0..8)) {
            let written = line(fields.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            prop_assert_eq!(parse(&written).unwrap(), fields);
        }

        #[test]
        fn no_value_forges_a_line(fields in prop::collection::vec(("[a-z_]+", any::<String>()), 0..8)) {
            let written = line(fields.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            prop_assert!(!written.contains(char::is_control));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn no_near_miss_makes_the_parser_panic(text in "([a-z_= \"\\\\{}u0-9\u{1b}\n]|é){0,40}") {
            if let Err(bad) = parse(&text) {
                prop_assert!(bad.at <= text.len() && text.is_char_boundary(bad.at));
            }
        }
    }
}
