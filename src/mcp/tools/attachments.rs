//! Files by content: put one, read a part of one.

use super::mail::ATTACHMENT_ID_CHARS_MAX;
use crate::mcp::{
    answer::{self, Given, Refusal},
    arguments::{Arg, Arguments, Shape},
    tool::{Hints, Row},
    toolbox::FleetTools,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use coalmine_actors::attachments::{
    AttachmentId, AttachmentStore, CreateMeta, MediaType, Meta, Owner,
    media::MIME_BYTES_MAX,
    meta::LABEL_BYTES_MAX,
    store::{ByteRange, Reading},
};
use rmcp::model::ContentBlock;
use serde_json::json;

/// Longest attachment that is put by a tool, bytes; longer ones take the command line or HTTP.
const PUT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most bytes of one read.
const GET_BYTES_MAX: u64 = 512 * 1024;
/// Bytes of one read where nobody says: a few thousand tokens of text.
const GET_BYTES_DEFAULT: u64 = 32 * 1024;

pub(super) static PUT: Row = Row {
    name: "attachment_put",
    title: "Store a file",
    about: "Stores text or bytes (at most 4 MiB) and gives the id by which they can be sent and read. The same bytes have \
            the same id. Larger files: `coalmine attachment put FILE`.",
    hints: Hints::ADDS_ONCE,
    args: &[
        Arg::may("text", Shape::Text { chars_max: PUT_BYTES_MAX }, "the content, where it is text"),
        Arg::may(
            "base64",
            Shape::Text { chars_max: PUT_BYTES_MAX / 3 * 4 + 4 },
            "the content in base64, where it is not",
        ),
        Arg::may(
            "media_type",
            Shape::Text { chars_max: MIME_BYTES_MAX },
            "as in image/png; found from the bytes without it",
        ),
        Arg::may("label", Shape::Text { chars_max: LABEL_BYTES_MAX }, "what to call it, one line"),
    ],
};

pub(super) static GET: Row = Row {
    name: "attachment_get",
    title: "Read a file",
    about: "Reads an attachment that you put or were sent: text as text, anything else in base64, images also as an image. \
            A long one comes in parts: go on at next_offset.",
    hints: Hints::READS,
    args: &[
        Arg::must("id", Shape::Text { chars_max: ATTACHMENT_ID_CHARS_MAX }, "the attachment's id, 64 hex digits"),
        Arg::may("offset", Shape::Number { min: 0, max: u64::MAX >> 1 }, "the first byte of the part; 0 by default"),
        Arg::may("max_bytes", Shape::Number { min: 1, max: GET_BYTES_MAX }, "longest part, bytes; 32,768 by default"),
    ],
};

pub(super) async fn put(tools: &FleetTools, args: &Arguments) -> Given {
    let bytes = match (args.text("text"), args.text("base64")) {
        (Some(text), None) => Bytes::from(text.to_owned()),
        (None, Some(coded)) => decoded(coded)?,
        (None, None) => return Err(Refusal::argument("text", "is missing, and so is `base64`: give one of them")),
        (Some(_), Some(_)) => return Err(Refusal::argument("base64", "is given beside `text`: give one of them")),
    };
    if bytes.len() > PUT_BYTES_MAX {
        let (which, len) = (if args.text("text").is_some() { "text" } else { "base64" }, bytes.len());
        let why =
            format!("has {len} bytes; {PUT_BYTES_MAX} are the limit here, `coalmine attachment put FILE` takes more");
        return Err(Refusal::argument(which, why));
    }
    let create = CreateMeta {
        media_type: args.parsed::<MediaType>("media_type")?,
        label: args.text("label").map(Into::into),
        ..CreateMeta::default()
    };
    let store = tools.fleet.attachments().session(tools.caller.session.clone(), Owner::whole());
    let put = store.put(bytes, create).await?;
    store.commit(vec![put.id]).await?;
    answer::value(&put)
}

fn decoded(coded: &str) -> Result<Bytes, Refusal> {
    let bytes =
        STANDARD.decode(coded).map_err(|error| Refusal::argument("base64", format!("is no base64: {error}")))?;
    Ok(bytes.into())
}

pub(super) async fn get(tools: &FleetTools, args: &Arguments) -> Given {
    let id: AttachmentId = args.the("id").parse()?;
    let start = args.number("offset").unwrap_or(0);
    let end = start.saturating_add(args.number("max_bytes").unwrap_or(GET_BYTES_DEFAULT));
    let (meta, bytes) = open(tools, id, start, end).await?.collect().await?;
    Ok(part(meta, start, &bytes))
}

/// A peer reads what its session refers to, the operator everything. Of an empty one there is no part to ask for.
async fn open(tools: &FleetTools, id: AttachmentId, start: u64, end: u64) -> Result<Reading, Refusal> {
    let attachments = tools.fleet.attachments();
    let own = tools.caller.peer.as_ref().map(|_| attachments.session(tools.caller.session.clone(), Owner::whole()));
    let meta = match &own {
        Some(own) => own.stat(id).await?,
        None => attachments.stat(id).await?,
    };
    let range = (meta.byte_len > 0 || start > 0).then_some(ByteRange { start, end });
    Ok(match own {
        Some(own) => own.open(id, range).await?,
        None => attachments.open(id, range).await?,
    })
}

/// What was read, as text where it is text. A character that is cut at the end is left to the next part.
fn part(meta: Meta, start: u64, bytes: &[u8]) -> rmcp::model::CallToolResult {
    let text = if is_text(&meta.media_type) { whole_characters(bytes) } else { None };
    let read = text.map_or(bytes.len(), str::len) as u64;
    let next = start.saturating_add(read);
    let more = (next < meta.byte_len).then_some(next);
    let image = meta.media_type.is_image() && start == 0 && more.is_none();
    let mime = meta.media_type.mime().to_owned();
    let mut told = json!({ "meta": meta.into_ref(), "offset": start, "bytes": read, "next_offset": more });
    match text {
        Some(text) => {
            told["text"] = text.into();
            answer::told(told, text.to_owned())
        }
        None => {
            let coded = STANDARD.encode(bytes);
            told["base64"] = coded.as_str().into();
            let mut given = answer::told(told.clone(), told.to_string());
            if image {
                given.content = vec![ContentBlock::image(coded, mime)];
            }
            given
        }
    }
}

fn is_text(media_type: &MediaType) -> bool {
    let mime = media_type.mime();
    mime.starts_with("text/") || mime == "application/json" || mime.ends_with("+json") || mime.ends_with("+xml")
}

/// The text without a character that is cut at its end; nothing where it is no text, or would be empty.
fn whole_characters(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_on_at_a_whole_character() {
        for (bytes, wanted) in [
            ("aé".as_bytes(), Some("aé")),
            (&"aé".as_bytes()[..2], Some("a")),
            (&"é".as_bytes()[..1], None),
            (&"é".as_bytes()[1..], None),
            (b"a\xffb", None),
            (b"", Some("")),
        ] {
            assert_eq!(whole_characters(bytes), wanted, "{bytes:?}");
        }
    }
}
