//! Reads lines that strangers may have written: whole ones only, and never more than so much of one.

use std::io::{self, BufRead};

/// Bytes of a line that are kept; a longer one is cut, and says so.
pub(super) const LINE_BYTES_MAX: usize = 64 * 1024;

/// A whole line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its text without the `\n`; what is no UTF-8 is replaced.
    pub(super) text: String,
    /// Its length in the file, with the `\n`.
    pub(super) bytes: u64,
}

/// The next whole line; nothing where only a part of one, or nothing, is left.
pub(super) fn next(reader: &mut impl BufRead) -> io::Result<Option<Line>> {
    let (mut kept, mut length) = (Vec::new(), 0);
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(None); // somebody is still writing it, or never finished
        }
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        kept.extend_from_slice(&part[..part.len().min(LINE_BYTES_MAX - kept.len())]);
        length += part.len();
        let used = part.len() + usize::from(end.is_some());
        reader.consume(used);
        if end.is_some() {
            break;
        }
    }
    let mut text = String::from_utf8_lossy(&kept).into_owned();
    if kept.len() < length {
        text.push_str(&format!(" cut_from_bytes={length}"));
    }
    Ok(Some(Line { text, bytes: length as u64 + 1 }))
}

/// The whole lines that are left, in order; ends early where the file can not be read on.
pub(super) fn all(mut reader: impl BufRead) -> impl Iterator<Item = io::Result<String>> {
    std::iter::from_fn(move || next(&mut reader).map(|line| line.map(|line| line.text)).transpose())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_lines_are_taken() {
        let lines: Vec<_> = all(&b"one\n\ntwo\r\nthr"[..]).map(Result::unwrap).collect();
        assert_eq!(lines, ["one", "", "two\r"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_says_so() {
        let mut file = vec![b'x'; 3 * LINE_BYTES_MAX];
        file.extend_from_slice(b"\nnext\n");
        let mut reader = io::BufReader::with_capacity(1000, file.as_slice());
        let line = next(&mut reader).unwrap().unwrap();
        assert_eq!(line.bytes, 3 * LINE_BYTES_MAX as u64 + 1);
        assert_eq!(line.text.len(), LINE_BYTES_MAX + " cut_from_bytes=196608".len());
        assert!(line.text.ends_with("x cut_from_bytes=196608"));
        assert_eq!(next(&mut reader).unwrap().unwrap().text, "next");
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        assert_eq!(next(&mut &b"a\xffb\n"[..]).unwrap().unwrap(), Line { text: "a\u{fffd}b".into(), bytes: 4 });
    }
}
