//! Whose inbox, whose messages: a peer is itself, by its token, and nobody else.

use super::{call, peer, refused};
use crate::{
    mail,
    support::{Daemon, eventually},
};
use serde_json::{Value, json};

/// A fleet in which `bob` reads mail, `ann` and `eve` only send it.
async fn post_office() -> (Daemon, String, String) {
    let daemon = Daemon::on(mail::root()).await;
    mail::peer(&daemon, "bob");
    let ann = peer(&daemon, "ann");
    let bob = super::token(&daemon, "agent-bob", 1);
    (daemon, ann, bob)
}

fn ids(page: &Value) -> Vec<String> {
    page["messages"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_sent_read_and_acknowledged_by_those_whom_it_concerns() {
    let (daemon, ann, bob) = post_office().await;
    let hello = json!({ "to": "bob", "body": "hello", "topic": "t", "idempotency_key": "k", "wait_seconds": 30 });
    let sent = call(&daemon, Some(&ann), "send_to_peer", &hello);
    assert_eq!((&sent["state"], &sent["from"]), (&json!("submitted"), &json!("shell-ann")), "{sent}");
    assert_eq!(call(&daemon, Some(&ann), "send_to_peer", &hello)["id"], sent["id"], "the key names the first one");
    let id = json!({ "id": sent["id"] });

    let inbox = call(&daemon, Some(&bob), "inbox", &json!({}));
    assert_eq!((ids(&inbox).len(), &inbox["messages"][0]["body"]), (1, &json!("hello")));
    assert_eq!(ids(&call(&daemon, Some(&bob), "inbox", &json!({ "peer": "bob" }))).len(), 1);
    assert_eq!(ids(&call(&daemon, None, "inbox", &json!({ "peer": "bob" }))).len(), 1, "the operator sees it");
    assert_eq!(ids(&call(&daemon, Some(&ann), "inbox", &json!({}))).len(), 0);

    assert_eq!(refused(&daemon, Some(&ann), "inbox", &json!({ "peer": "bob" })), "not-attested");
    assert_eq!(refused(&daemon, None, "inbox", &json!({})), "bad-argument");
    assert_eq!(refused(&daemon, Some(&ann), "ack", &id), "no-message", "that it is there is not told");
    for _ in 0..2 {
        assert_eq!(call(&daemon, Some(&bob), "ack", &id)["state"], "seen", "also a second time");
    }
    assert_eq!(ids(&call(&daemon, Some(&bob), "inbox", &json!({ "state": "submitted" }))).len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_sent_is_refused_by_name() {
    let (daemon, ann, bob) = post_office().await;
    let to_bob = |key: &str, value: Value| {
        let mut args = json!({ "to": "bob", "body": "x" });
        args[key] = value;
        args
    };
    let not_mine = call(&daemon, Some(&bob), "attachment_put", &json!({ "text": "bob's" }))["id"].clone();
    for (code, args) in [
        ("unknown-peer", json!({ "to": "bbo", "body": "x" })),
        ("bad-argument", json!({ "to": "bob" })),
        ("bad-argument", to_bob("body", json!("é".repeat(16_001)))),
        ("invalid-message", to_bob("body", json!(" \n"))),
        ("bad-argument", to_bob("topic", json!("t".repeat(201)))),
        ("invalid-message", to_bob("topic", json!("a\nb"))),
        ("bad-argument", to_bob("attachments", json!(vec!["0".repeat(64); 21]))),
        ("bad-argument", to_bob("attachments", json!(["nonsense"]))),
        ("unknown-blob", to_bob("attachments", json!([not_mine]))),
        ("bad-argument", to_bob("wait_seconds", json!(121))),
        ("bad-argument", to_bob("from", json!("bob"))),
    ] {
        assert_eq!(refused(&daemon, Some(&ann), "send_to_peer", &args), code, "{args}");
    }
    let to_a_shell = call(&daemon, Some(&ann), "send_to_peer", &json!({ "to": "ann", "body": "x" }));
    assert_eq!((&to_a_shell["state"], &to_a_shell["reason"]["code"]), (&json!("refused"), &json!("no-composer")));
    assert_eq!(refused(&daemon, Some(&bob), "ack", &json!({ "id": "nonsense" })), "bad-message-id");
    assert_eq!(refused(&daemon, Some(&bob), "ack", &json!({ "id": "01J0000000000000000000000A" })), "no-message");
    assert_eq!(refused(&daemon, None, "inbox", &json!({ "peer": "bob", "cursor": "nonsense" })), "bad-argument");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_inbox_is_paged_to_its_end_by_few_tokens() {
    let (daemon, ann, bob) = post_office().await;
    mail::works(&daemon, "bob").await;
    for number in 0..7 {
        let body = format!("{number} {}", "long \"words\" ".repeat(10 + number));
        call(&daemon, Some(&ann), "send_to_peer", &json!({ "to": "bob", "body": body }));
    }
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let page = call(&daemon, Some(&bob), "inbox", &json!({ "max_tokens": 300, "limit": 3, "cursor": cursor }));
        assert!(page.to_string().len() <= 1_200, "{}", page.to_string().len());
        seen.extend(
            page["messages"].as_array().unwrap().iter().map(|one| one["body"].as_str().unwrap()[..1].to_owned()),
        );
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen, ["6", "5", "4", "3", "2", "1", "0"], "each once, newest first");
    daemon.ask(&["interrupt", "bob"]);
    eventually("all were read", || async {
        (mail::read(&mail::home(daemon.folder(), "bob")).len() == 7).then_some(())
    })
    .await;
}
