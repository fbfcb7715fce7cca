//! `Range` and `If-Range`, as RFC 9110 has them: which part of an attachment an answer is to be.
//!
//! | what was asked for | what is answered |
//! |---|---|
//! | one range that begins within | 206 and the part, to the end at most |
//! | one range that begins behind the end, or the last 0 bytes | 416 and the length |
//! | several ranges, another unit, no range at all, a part of something else (`If-Range`) | 200 and all of it |

use axum::http::{HeaderMap, header};
use coalmine_actors::attachments::{AttachmentError, store::ByteRange};

/// The part of an attachment with this tag and length; nothing where all of it is to be sent.
///
/// # Errors
/// [`AttachmentError::BadRange`]: there is no such part.
pub(super) fn wanted(headers: &HeaderMap, etag: &str, byte_len: u64) -> Result<Option<ByteRange>, AttachmentError> {
    let mut said = headers.get_all(header::RANGE).iter();
    let (Some(range), None) = (said.next(), said.next()) else { return Ok(None) };
    let of_this = headers.get(header::IF_RANGE).is_none_or(|tag| tag.as_bytes() == etag.as_bytes());
    let range = range.to_str().ok().filter(|_| of_this).and_then(|text| parsed(text, byte_len));
    // The first bytes of nothing, and the last ones, are all of it: no answer could name them as a part.
    range.filter(|range| byte_len > 0 || range.start > 0).map(|range| range.within(byte_len)).transpose()
}

/// `bytes=0-99`, `bytes=100-`, `bytes=-100`; nothing where it is none of them.
fn parsed(text: &str, byte_len: u64) -> Option<ByteRange> {
    let (unit, range) = text.split_once('=')?;
    let (from, to) = range.split_once('-').filter(|_| unit.eq_ignore_ascii_case("bytes"))?;
    match (number(from), number(to)) {
        (Some(start), Some(last)) if last >= start => Some(ByteRange { start, end: last.saturating_add(1) }),
        (Some(start), None) if to.is_empty() => Some(ByteRange { start, end: byte_len }),
        (None, Some(count)) if from.is_empty() => {
            Some(ByteRange { start: byte_len.saturating_sub(count), end: byte_len })
        }
        _ => None,
    }
}

/// Digits and nothing else. A number that is too large for us is behind every end.
fn number(digits: &str) -> Option<u64> {
    let is_one = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn asked(headers: &[(HeaderName, &str)], byte_len: u64) -> Result<Option<(u64, u64)>, AttachmentError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        Ok(wanted(&map, "\"tag\"", byte_len)?.map(|range| (range.start, range.end)))
    }

    fn range(text: &str, byte_len: u64) -> Result<Option<(u64, u64)>, AttachmentError> {
        asked(&[(header::RANGE, text)], byte_len)
    }

    #[test]
    fn one_range_within_is_a_part() {
        for (text, part) in [
            ("bytes=0-9", (0, 10)),
            ("Bytes=0-0", (0, 1)),
            ("bytes=90-", (90, 100)),
            ("bytes=-10", (90, 100)),
            ("bytes=-1000", (0, 100)),
            ("bytes=95-1000", (95, 100)),
            ("bytes=99-99999999999999999999999", (99, 100)),
            ("bytes=-99999999999999999999999", (0, 100)),
            ("bytes=0-18446744073709551615", (0, 100)),
        ] {
            assert_eq!(range(text, 100), Ok(Some(part)), "{text}");
        }
    }

    #[test]
    fn a_range_behind_the_end_can_not_be_had() {
        for text in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(range(text, 100), Err(AttachmentError::BadRange { byte_len: 100 }), "{text}");
        }
        for text in ["bytes=1-", "bytes=1-5"] {
            assert_eq!(range(text, 0), Err(AttachmentError::BadRange { byte_len: 0 }), "{text}");
        }
    }

    #[test]
    fn what_is_no_single_range_of_bytes_is_ignored() {
        for text in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=9-3",
            "bytes=0-1,5-6",
            "bytes=0-1,",
            "lines=0-9",
            "bytes=a-b",
            "bytes=+0-9",
            "bytes=0-+9",
            "bytes= 0-9",
            "bytes=0 - 9",
            "bytes=0x0-9",
            "bytes=--5",
            "bytes=0-9-",
        ] {
            assert_eq!(range(text, 100), Ok(None), "{text:?}");
        }
        assert_eq!(asked(&[], 100), Ok(None));
        let two = [(header::RANGE, "bytes=0-1"), (header::RANGE, "bytes=2-3")];
        assert_eq!(asked(&two, 100), Ok(None));
        assert_eq!(range("bytes=-5", 0), Ok(None), "all of nothing");
    }

    #[test]
    fn a_part_of_something_else_is_not_sent() {
        for (tag, part) in [("\"tag\"", Some((0, 10))), ("\"other\"", None), ("W/\"tag\"", None)] {
            let headers = [(header::RANGE, "bytes=0-9"), (header::IF_RANGE, tag)];
            assert_eq!(asked(&headers, 100), Ok(part), "{tag}");
        }
    }
}
