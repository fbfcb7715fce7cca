//! Files by content, as tools have them.

use super::{call, peer, refused, request};
use crate::support::Daemon;
use serde_json::{Value, json};

const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

#[tokio::test]
async fn what_was_put_is_read_as_text_or_bytes_in_parts() {
    let daemon = Daemon::start().await;
    let ann = peer(&daemon, "ann");
    let ann = Some(ann.as_str());
    let text = "é".repeat(1_000);
    let put = call(&daemon, ann, "attachment_put", &json!({ "text": text, "label": "a note" }));
    assert_eq!(
        (&put["byte_len"], &put["media_type"], &put["label"]),
        (&json!(2_000), &json!("text/plain"), &json!("a note"))
    );
    let id = put["id"].clone();
    let (mut read, mut offset) = (String::new(), Value::Null);
    loop {
        let part = call(&daemon, ann, "attachment_get", &json!({ "id": id, "offset": offset, "max_bytes": 333 }));
        read.push_str(part["text"].as_str().unwrap());
        offset = part["next_offset"].clone();
        if offset.is_null() {
            break;
        }
    }
    assert_eq!(read, text, "no character is cut in two");

    let bytes = call(&daemon, ann, "attachment_put", &json!({ "base64": "AAEC/w==" }));
    let got = call(&daemon, ann, "attachment_get", &json!({ "id": bytes["id"] }));
    assert_eq!((&got["base64"], &got["meta"]["media_type"]), (&json!("AAEC/w=="), &json!("application/octet-stream")));
    let pixel = call(&daemon, ann, "attachment_put", &json!({ "base64": PIXEL }));
    let (_, image) = request(
        &daemon,
        "POST",
        "/v1/tools/attachment_get",
        "host: x\r\n",
        json!({ "id": pixel["id"] }).to_string().as_bytes(),
    );
    let image = &image["data"]["content"][0];
    assert_eq!(
        (&image["type"], &image["mimeType"], &image["data"]),
        (&json!("image"), &json!("image/png"), &json!(PIXEL))
    );
    let empty = call(&daemon, ann, "attachment_put", &json!({ "text": "", "media_type": "text/plain" }));
    assert_eq!(call(&daemon, ann, "attachment_get", &json!({ "id": empty["id"] }))["text"], "");
}

#[tokio::test]
async fn a_peer_reads_what_is_its_own_and_the_operator_everything() {
    let daemon = Daemon::start().await;
    let (ann, bob) = (peer(&daemon, "ann"), peer(&daemon, "bob"));
    let id = json!({ "id": call(&daemon, Some(&ann), "attachment_put", &json!({ "text": "hers" }))["id"] });
    assert_eq!(refused(&daemon, Some(&bob), "attachment_get", &id), "no-attachment");
    assert_eq!(call(&daemon, None, "attachment_get", &id)["text"], "hers");
    call(&daemon, Some(&bob), "attachment_put", &json!({ "text": "hers" }));
    assert_eq!(call(&daemon, Some(&bob), "attachment_get", &id)["text"], "hers", "who has the bytes has the file");
}

#[tokio::test]
async fn what_can_not_be_put_or_read_is_refused_by_name() {
    let daemon = Daemon::start().await;
    let id = call(&daemon, None, "attachment_put", &json!({ "text": "x" }))["id"].clone();
    for (code, tool, args) in [
        ("bad-argument", "attachment_put", json!({})),
        ("bad-argument", "attachment_put", json!({ "text": "x", "base64": "eA==" })),
        ("bad-argument", "attachment_put", json!({ "base64": "no base64" })),
        ("bad-argument", "attachment_put", json!({ "text": "é".repeat(2 * 1024 * 1024 + 1) })),
        ("bad-argument", "attachment_put", json!({ "base64": "A".repeat(6 * 1024 * 1024) })),
        ("bad-argument", "attachment_put", json!({ "text": "x", "media_type": "nonsense" })),
        ("invalid-attachment", "attachment_put", json!({ "text": "x", "media_type": "image/png" })),
        ("invalid-attachment", "attachment_put", json!({ "text": "x", "label": "a\nb" })),
        ("bad-attachment-id", "attachment_get", json!({ "id": "nonsense" })),
        ("no-attachment", "attachment_get", json!({ "id": "0".repeat(64) })),
        ("bad-range", "attachment_get", json!({ "id": id, "offset": 1 })),
        ("bad-argument", "attachment_get", json!({ "id": id, "max_bytes": 1_000_000 })),
    ] {
        assert_eq!(refused(&daemon, None, tool, &args), code, "{tool} {:.80}", args.to_string());
    }
}
