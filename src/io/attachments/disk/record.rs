//! The record beside the bytes: `<id>.json`.

use coalmine_actors::attachments::{AttachmentId, Meta};
use serde::{Deserialize, Serialize};

/// The version that is written.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    #[serde(flatten)]
    meta: Meta,
}

/// The file's name.
pub(super) fn name(id: AttachmentId) -> String {
    format!("{id}.json")
}

/// A record as it is written.
pub(super) fn write(meta: &Meta) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec(&Record { version: VERSION, meta: meta.clone() }).expect("a record has only text keys");
    bytes.push(b'\n');
    bytes
}

/// The record of this attachment; nothing where it is another's, a later version's, or damaged.
pub(super) fn read(bytes: &[u8], id: AttachmentId) -> Option<Meta> {
    let record: Record = serde_json::from_slice(bytes).ok()?;
    (record.version == VERSION && record.meta.id == id).then_some(record.meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 0.1.0 writes it: it must be read for ever.
    const OF_VERSION_1: &str = r#"{"version":1,"id":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad","media_type":"text/plain","byte_len":3,"label":"abc","created_at":"2026-11-21T01:23:45Z"}"#;

    #[test]
    fn a_record_of_every_version_is_read_and_a_foreign_one_is_none() {
        let id = AttachmentId::of(b"abc");
        let meta = read(OF_VERSION_1.as_bytes(), id).unwrap();
        assert_eq!((meta.byte_len, meta.label.as_deref()), (3, Some("abc")));
        assert_eq!(String::from_utf8(write(&meta)).unwrap().trim_end(), OF_VERSION_1);
        assert_eq!(read(OF_VERSION_1.as_bytes(), AttachmentId::of(b"x")), None);
        assert_eq!(read(&OF_VERSION_1.as_bytes()[..50], id), None);
        assert_eq!(read(OF_VERSION_1.replace(":1,", ":2,").as_bytes(), id), None);
    }
}
