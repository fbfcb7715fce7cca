//! How we write a line: keys in one order, the seal last, `\n` at the end.

use super::{item::CheckedItem, line::SEAL, time};
use std::io::Write as _;

/// Appends an item's line.
pub fn item(out: &mut Vec<u8>, id: u64, now_ms: i64, item: &CheckedItem) {
    sealed(out, |out| {
        let ts_ms = item.ts.map_or(now_ms, jiff::Timestamp::as_millisecond);
        begin(out, id, ts_ms, item.kind.as_str());
        value(out, ",\"content\":", &item.content);
        if !item.tags.is_empty() {
            value(out, ",\"tags\":", &item.tags);
        }
        if let Some(source) = &item.source {
            value(out, ",\"source\":", source);
        }
        if let Some(source_id) = item.source_id {
            value(out, ",\"source_id\":", &source_id);
        }
    });
}

/// Appends a tombstone's line.
pub fn tombstone(out: &mut Vec<u8>, id: u64, now_ms: i64, target: u64) {
    sealed(out, |out| {
        begin(out, id, now_ms, "forget");
        value(out, ",\"target\":", &target);
    });
}

/// The first line of a file that was `created` then; after a compaction it names the next id, as a check.
pub fn header(created: &str, next_id: Option<u64>) -> Vec<u8> {
    let mut out = Vec::new();
    sealed(&mut out, |out| {
        out.extend_from_slice(b"{\"meta\":{\"format\":\"memory.jsonl\",\"version\":1");
        value(out, ",\"created\":", created);
        if let Some(next_id) = next_id {
            value(out, ",\"next_id\":", &next_id);
        }
        out.push(b'}');
    });
    out
}

fn begin(out: &mut Vec<u8>, id: u64, ts_ms: i64, kind: &str) {
    out.extend_from_slice(b"{\"id\":");
    out.extend_from_slice(id.to_string().as_bytes());
    out.extend_from_slice(b",\"ts\":\"");
    out.extend_from_slice(time::render(ts_ms).as_bytes());
    out.extend_from_slice(b"\",\"kind\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.push(b'"');
}

fn value<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, key: &str, value: &T) {
    out.extend_from_slice(key.as_bytes());
    serde_json::to_writer(out, value).expect("texts and numbers are JSON, and a Vec takes them");
}

/// Writes an object's keys by `keys`, and closes it with the seal over them.
fn sealed(out: &mut Vec<u8>, keys: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    keys(out);
    let crc = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(SEAL);
    writeln!(out, "{crc:08x}\"}}").expect("a Vec takes everything");
}
