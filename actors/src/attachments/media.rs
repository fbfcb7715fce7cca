//! What sort of bytes an attachment holds: as declared, or as its first bytes say.

use super::error::AttachmentError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{fmt, str::FromStr};

/// Longest MIME type, bytes.
pub const MIME_BYTES_MAX: usize = 127;
/// How many of the first bytes tell what they are.
pub const HEAD_BYTES: usize = 4_096;

/// Declares the known types once: their names here and their canonical MIME.
macro_rules! media_types {
    ($($(#[$doc:meta])* $name:ident = $mime:literal,)+) => {
        /// A media type, by its canonical MIME.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum MediaType {
            $($(#[$doc])* $name,)+
            /// Any other, as it was written, in lower case.
            Other(String),
        }

        impl MediaType {
            /// The types that are known by name.
            pub const KNOWN: &[Self] = &[$(Self::$name,)+];

            /// The canonical MIME.
            pub fn mime(&self) -> &str {
                match self {
                    $(Self::$name => $mime,)+
                    Self::Other(mime) => mime,
                }
            }
        }
    };
}

media_types! {
    /// PNG.
    Png = "image/png",
    /// JPEG.
    Jpeg = "image/jpeg",
    /// GIF.
    Gif = "image/gif",
    /// WebP.
    Webp = "image/webp",
    /// PDF.
    Pdf = "application/pdf",
    /// Text without a format of its own.
    Plain = "text/plain",
    /// Markdown.
    Markdown = "text/markdown",
    /// CSV.
    Csv = "text/csv",
    /// HTML.
    Html = "text/html",
    /// JSON.
    Json = "application/json",
    /// ZIP.
    Zip = "application/zip",
    /// Bytes of which nothing is known.
    Bytes = "application/octet-stream",
}

impl MediaType {
    /// Whether it is an image.
    pub fn is_image(&self) -> bool {
        self.mime().starts_with("image/")
    }

    /// What the first [`HEAD_BYTES`] of some bytes say that they are.
    pub fn sniff(head: &[u8]) -> Self {
        if let Some(found) = infer::get(head) {
            return found.mime_type().parse().unwrap_or(Self::Bytes);
        }
        // A character may be cut at the end of the head.
        let text = match std::str::from_utf8(head) {
            Ok(_) => true,
            Err(error) => error.error_len().is_none() && head.len() >= HEAD_BYTES,
        };
        if text && !head.contains(&0) && !head.is_empty() { Self::Plain } else { Self::Bytes }
    }

    /// The type of bytes with this head, of which this was declared.
    ///
    /// # Errors
    /// A PNG, JPEG, GIF or WebP was declared, and the bytes are something else.
    pub fn settle(declared: Option<Self>, head: &[u8]) -> Result<Self, AttachmentError> {
        let sniffed = Self::sniff(head);
        let Some(declared) = declared else { return Ok(sniffed) };
        let known_image = declared.is_image() && Self::KNOWN.contains(&declared);
        if known_image && sniffed != declared {
            let what = format!("declared as {declared}, but the bytes are {sniffed}");
            return Err(AttachmentError::invalid(what, "declare what they are, or nothing: then the bytes say it"));
        }
        Ok(declared)
    }
}

impl FromStr for MediaType {
    type Err = AttachmentError;

    /// Parameters (`; charset=utf-8`) are dropped; `image/jpg` is `image/jpeg`.
    fn from_str(text: &str) -> Result<Self, AttachmentError> {
        let mime = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let token = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
        };
        let good = mime.split_once('/').is_some_and(|(kind, sub)| token(kind) && token(sub));
        if !good || mime.len() > MIME_BYTES_MAX {
            let shown: String = text.chars().take(MIME_BYTES_MAX).collect();
            let what = format!("{shown:?} is no media type");
            return Err(AttachmentError::invalid(what, "write one as in image/png, or nothing: then the bytes say it"));
        }
        let mime = if mime == "image/jpg" { "image/jpeg".to_owned() } else { mime };
        let known = Self::KNOWN.iter().find(|known| known.mime() == mime).cloned();
        Ok(known.unwrap_or(Self::Other(mime)))
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.mime())
    }
}

impl Serialize for MediaType {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.mime())
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0";

    #[test]
    fn the_first_bytes_say_what_they_are() {
        for (head, mime) in [
            (PNG, "image/png"),
            (JPEG, "image/jpeg"),
            (b"GIF89a\x01\0\x01\0", "image/gif"),
            (b"RIFF\x24\0\0\0WEBPVP8 ", "image/webp"),
            (b"%PDF-1.7\n%\xe2\xe3", "application/pdf"),
            (b"PK\x03\x04\x14\0\0\0", "application/zip"),
            (b"plain words, \xc3\xa4 too", "text/plain"),
            (b"words with a \0 in them", "application/octet-stream"),
            (b"\xff\xfe\xfd", "application/octet-stream"),
            (b"", "application/octet-stream"),
            (b"\x1f\x8b\x08\0\0\0\0\0", "application/gzip"),
        ] {
            assert_eq!(MediaType::sniff(head).mime(), mime, "{head:?}");
        }
        let mut cut = vec![b'a'; HEAD_BYTES - 1];
        cut.push(0xc3);
        assert_eq!(MediaType::sniff(&cut), MediaType::Plain, "a character cut at the end of the head");
        assert_eq!(MediaType::sniff(&cut[1..]), MediaType::Bytes, "one cut at the end of all");
    }

    #[test]
    fn a_declared_image_must_be_that_image() {
        for (declared, head, settled) in [
            (None, PNG, Some("image/png")),
            (Some("image/png"), PNG, Some("image/png")),
            (Some("image/PNG; x=y"), PNG, Some("image/png")),
            (Some("image/jpg"), JPEG, Some("image/jpeg")),
            (Some("image/png"), JPEG, None),
            (Some("image/webp"), b"words", None),
            (Some("image/gif"), b"", None),
            (Some("image/svg+xml"), b"<svg/>", Some("image/svg+xml")),
            (Some("text/markdown"), b"# words", Some("text/markdown")),
            (Some("application/pdf"), b"words", Some("application/pdf")),
        ] {
            let declared = declared.map(|mime| mime.parse().unwrap());
            let found = MediaType::settle(declared.clone(), head);
            assert_eq!(found.ok().map(|media| media.mime().to_owned()).as_deref(), settled, "{declared:?}");
        }
    }

    #[test]
    fn what_has_no_two_tokens_is_no_media_type() {
        for text in ["", "image", "image/", "/png", "image/png/x", "image/p ng", "im\nage/png", &"x/".repeat(80)] {
            assert!(text.parse::<MediaType>().is_err(), "{text:?}");
        }
        let other: MediaType = serde_json::from_str("\"audio/ogg\"").unwrap();
        assert_eq!(other, MediaType::Other("audio/ogg".into()));
        assert_eq!(serde_json::to_string(&other).unwrap(), "\"audio/ogg\"");
    }
}
