//! How far a file is read that grows by lines. Pure: bytes in, whole lines out.
//!
//! ```text
//!  ├── TAIL_BYTES_MAX at most ──┤
//!  …rest of a line⏎ line⏎ line⏎ half a li     read again with the next look, from where it begins
//!  passed over      taken  taken
//! ```

use memchr::{memchr, memrchr};

/// No more than so much of a file's end is read: who comes to a file that is large already reads no history.
pub const TAIL_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// How far one file was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    offset: u64,
    /// What comes first belongs to a line that is passed over: its beginning was not read, or it is too long.
    passes: bool,
}

impl Tail {
    /// A file of this length, not read yet.
    pub fn of(len: u64) -> Self {
        let offset = len.saturating_sub(TAIL_BYTES_MAX);
        Self { offset, passes: offset > 0 }
    }

    /// Where it is read from, now that it has this length. One that shrank is another one; what grew by too much is
    /// read from its new tail.
    pub fn offset(&mut self, len: u64) -> u64 {
        if len < self.offset || len - self.offset > TAIL_BYTES_MAX {
            *self = Self::of(len);
        }
        self.offset
    }

    /// Takes the bytes that were read there. The whole lines among them, without their ends; `is_full` says that no
    /// more can be read at once, so that a line which has no end there is too long to be read at all.
    pub fn take<'b>(&mut self, bytes: &'b [u8], is_full: bool) -> impl Iterator<Item = &'b [u8]> + use<'b> {
        let mut whole = match memrchr(b'\n', bytes) {
            Some(end) => &bytes[..=end],
            None => {
                self.passes |= is_full;
                if self.passes {
                    self.offset += bytes.len() as u64;
                }
                &[]
            }
        };
        if !whole.is_empty() {
            self.offset += whole.len() as u64;
            if std::mem::take(&mut self.passes) {
                let first = memchr(b'\n', whole).expect("it ends in one");
                whole = &whole[first + 1..];
            }
        }
        let lines = whole.strip_suffix(b"\n").unwrap_or(whole);
        lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However a file grows, and however often it is looked at.
        #[test]
        fn every_whole_line_is_taken_once_and_in_order(
            lines in prop::collection::vec("[a-z]{0,12}", 0..20),
            grows in prop::collection::vec(0..40usize, 0..20),
            buffer in 4..16usize,
        ) {
            let text: Vec<u8> = lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect();
            let (mut tail, mut taken, mut len) = (Tail::of(0), Vec::new(), 0);
            for grown in grows.into_iter().chain([text.len()]) {
                len = (len + grown).min(text.len());
                loop {
                    let offset = usize::try_from(tail.offset(len as u64)).unwrap();
                    let bytes = &text[offset..len.min(offset + buffer)];
                    let found: Vec<_> = tail.take(bytes, bytes.len() == buffer).map(<[u8]>::to_vec).collect();
                    taken.extend(found);
                    if usize::try_from(tail.offset).unwrap() == offset {
                        break;
                    }
                }
            }
            let fits = |line: &&String| !line.is_empty() && line.len() < buffer;
            let wanted: Vec<_> = lines.iter().filter(fits).map(|line| line.as_bytes().to_vec()).collect();
            prop_assert_eq!(taken, wanted);
        }
    }

    #[test]
    fn of_a_large_file_only_the_end_is_read_and_a_file_that_shrank_is_another_one() {
        let mut tail = Tail::of(TAIL_BYTES_MAX + 10);
        assert_eq!(tail.offset(TAIL_BYTES_MAX + 10), 10);
        assert_eq!(tail.take(b"half\nwhole\n", false).collect::<Vec<_>>(), [b"whole"]);
        assert_eq!(tail.offset(5), 0);
        assert_eq!(tail.take(b"first\n", false).collect::<Vec<_>>(), [b"first"]);
        assert_eq!(tail.offset(6 + 2 * TAIL_BYTES_MAX), 6 + TAIL_BYTES_MAX);
    }
}
