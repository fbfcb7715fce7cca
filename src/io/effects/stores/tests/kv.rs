//! Keys and values.

use super::Yard;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs::File};

#[tokio::test]
async fn what_is_put_is_there_until_it_is_deleted() {
    let yard = Yard::new();
    let session = yard.session();
    for handle in [session.kv(None).await, session.kv(Some("in/a/store")).await] {
        let at = |key: &str| json!({ "handle": handle, "key": key });
        assert_eq!(session.call("kv.get", at("k")).await.unwrap(), Value::Null);
        assert_eq!(session.call("kv.contains", at("k")).await.unwrap(), false);
        assert_eq!(session.call("kv.delete", at("k")).await.unwrap(), false);
        // Bytes of every kind, and a value in place of another one.
        for (value, told) in [(json!("text"), "dGV4dA=="), (json!({ "base64": "AP8=" }), "AP8="), (json!(""), "")] {
            let put = json!({ "handle": handle, "key": "k", "value": value });
            assert_eq!(session.call("kv.put", put).await.unwrap(), Value::Null);
            assert_eq!(session.call("kv.get", at("k")).await.unwrap(), json!({ "base64": told }));
        }
        assert_eq!(session.call("kv.contains", at("k")).await.unwrap(), true);
        assert_eq!(session.call("kv.delete", at("k")).await.unwrap(), true);
        assert_eq!(session.call("kv.get", at("k")).await.unwrap(), Value::Null);
        // A key is any text, also none.
        for key in ["", "ä", "a\nb", &"k".repeat(4_096)] {
            session.call("kv.put", json!({ "handle": handle, "key": key, "value": "v" })).await.unwrap();
            assert_eq!(session.call("kv.contains", at(key)).await.unwrap(), true);
        }
    }
}

#[tokio::test]
async fn arguments_that_can_not_be_are_refused_with_their_name() {
    let yard = Yard::new();
    let session = yard.session();
    let handle = session.kv(None).await;
    let long = "k".repeat(4_097);
    for (op, args, code) in [
        ("kv.open", json!({ "path": yard.path("out/x") }), "denied"),
        ("kv.open", json!({ "path": yard.path("in/../out/x") }), "denied"),
        ("kv.open", json!({ "path": "x" }), "bad-args"),
        ("kv.open", json!({ "path": 7 }), "bad-args"),
        ("kv.open", json!({ "pth": yard.path("in/x") }), "bad-args"),
        ("kv.open", json!({ "path": format!("/{}", "x".repeat(5_000)) }), "limit"),
        ("kv.open", json!({ "path": yard.path("in/missing/x") }), "not-found"),
        ("kv.open", json!({ "path": yard.path("in/a") }), "effect-io"),
        ("kv.open", json!({ "path": yard.path("in") }), "effect-io"),
        ("kv.get", json!({ "handle": "x", "key": "k" }), "bad-args"),
        ("kv.get", json!({ "handle": handle }), "bad-args"),
        ("kv.get", json!({ "handle": handle, "key": 1 }), "bad-args"),
        ("kv.get", json!({ "handle": handle, "key": long }), "limit"),
        ("kv.put", json!({ "handle": handle, "key": long, "value": "v" }), "limit"),
        ("kv.put", json!({ "handle": handle, "key": "k", "value": 7 }), "bad-args"),
        ("kv.put", json!({ "handle": handle, "key": "k", "value": "v".repeat(16 * 1024 * 1024 + 1) }), "limit"),
        ("kv.list_prefix", json!({ "handle": handle, "prefix": "a", "cursor": "b" }), "bad-args"),
        ("kv.list_prefix", json!({ "handle": handle, "prefix": "a", "limit": 0 }), "bad-args"),
        ("kv.list_prefix", json!({ "handle": handle, "prefix": "a", "limit": 10_001 }), "limit"),
    ] {
        assert_eq!(session.code(op, args).await, code, "{op}");
    }
}

#[tokio::test]
async fn a_listing_comes_in_pages_and_each_key_once() {
    let yard = Yard::new();
    let session = yard.session();
    let handle = session.kv(None).await;
    for number in 0..250 {
        for key in [format!("a/{number:03}"), format!("b/{number:03}")] {
            session.call("kv.put", json!({ "handle": handle, "key": key, "value": "v" })).await.unwrap();
        }
    }
    let mut args = json!({ "handle": handle, "prefix": "a/", "limit": 100 });
    let (mut keys, mut pages) = (Vec::new(), Vec::new());
    loop {
        let page = session.call("kv.list_prefix", args.clone()).await.unwrap();
        let listed = page["keys"].as_array().unwrap();
        pages.push(listed.len());
        keys.extend(listed.iter().map(|key| key.as_str().unwrap().to_owned()));
        // What goes meanwhile is not missed by the next page.
        let last = json!({ "handle": handle, "key": keys.last() });
        session.call("kv.delete", last).await.unwrap();
        match &page["cursor"] {
            Value::Null => break,
            cursor => args["cursor"] = cursor.clone(),
        }
    }
    assert_eq!(pages, [100, 100, 50]);
    assert!(keys.is_sorted() && keys.iter().collect::<BTreeSet<_>>().len() == 250);
    let none = session.call("kv.list_prefix", json!({ "handle": handle, "prefix": "c" })).await.unwrap();
    assert_eq!(none, json!({ "keys": [], "cursor": null }));
}

#[tokio::test]
async fn a_page_of_long_keys_ends_before_it_is_too_long() {
    let yard = Yard::new();
    let session = yard.session();
    let handle = session.kv(None).await;
    for number in 0..300 {
        let key = format!("{number:03}{}", "k".repeat(4_000));
        session.call("kv.put", json!({ "handle": handle, "key": key, "value": "" })).await.unwrap();
    }
    let page = session.call("kv.list_prefix", json!({ "handle": handle, "prefix": "" })).await.unwrap();
    assert_eq!(page["keys"].as_array().unwrap().len(), 1024 * 1024 / 4_003);
    assert!(page["cursor"].is_string());
}

#[tokio::test]
async fn all_handles_on_a_file_share_one_store_and_the_last_one_closes_it() {
    let yard = Yard::new();
    let (one, two) = (yard.session(), yard.session());
    let (a, b, c) = (one.kv(Some("in/s")).await, one.kv(Some("in/a/../s")).await, two.kv(Some("in/s")).await);
    one.call("kv.put", json!({ "handle": a, "key": "k", "value": "v" })).await.unwrap();
    for (session, handle) in [(&one, &b), (&two, &c)] {
        let found = session.call("kv.get", json!({ "handle": handle, "key": "k" })).await.unwrap();
        assert_eq!(found, json!({ "base64": "dg==" }));
    }
    one.call("kv.close", json!({ "handle": a })).await.unwrap();
    drop(one);
    let file = File::open(yard.path("in/s")).unwrap();
    assert!(file.try_lock().is_err(), "the other session has it open");
    two.call("kv.close", json!({ "handle": c })).await.unwrap();
    file.try_lock().unwrap();
}

#[tokio::test]
async fn a_sessions_own_store_is_nobody_elses_and_goes_with_its_last_handle() {
    let yard = Yard::new();
    let (one, two) = (yard.session(), yard.session());
    let (a, b, other) = (one.kv(None).await, one.kv(None).await, two.kv(None).await);
    one.call("kv.put", json!({ "handle": a, "key": "k", "value": "v" })).await.unwrap();
    assert_eq!(one.call("kv.contains", json!({ "handle": b, "key": "k" })).await.unwrap(), true);
    assert_eq!(two.call("kv.contains", json!({ "handle": other, "key": "k" })).await.unwrap(), false);
    for handle in [a, b] {
        one.call("kv.close", json!({ "handle": handle })).await.unwrap();
    }
    let anew = one.kv(None).await;
    assert_eq!(one.call("kv.contains", json!({ "handle": anew, "key": "k" })).await.unwrap(), false);
}

#[tokio::test]
async fn a_full_store_takes_nothing_more_and_gives_what_it_has() {
    let yard = Yard::new();
    let session = yard.session();
    let handle = session.kv(None).await;
    let value = "v".repeat(15 * 1024 * 1024);
    let mut refused = None;
    for number in 0..8 {
        let put = json!({ "handle": handle, "key": number.to_string(), "value": value });
        if let Err(error) = session.call("kv.put", put).await {
            refused = Some(error.code());
            break;
        }
    }
    assert_eq!(refused, Some("limit"));
    assert_eq!(session.call("kv.contains", json!({ "handle": handle, "key": "0" })).await.unwrap(), true);
    assert_eq!(session.call("kv.delete", json!({ "handle": handle, "key": "0" })).await.unwrap(), true);
}

#[tokio::test]
async fn a_file_that_is_no_store_or_is_open_elsewhere_is_refused_and_left_alone() {
    let yard = Yard::new();
    let session = yard.session();
    std::fs::write(yard.path("in/text"), "no store at all".repeat(1_000)).unwrap();
    assert_eq!(session.code("kv.open", json!({ "path": yard.path("in/text") })).await, "bad-args");
    assert_eq!(std::fs::read_to_string(yard.path("in/text")).unwrap(), "no store at all".repeat(1_000));
    let held = File::create(yard.path("in/held")).unwrap();
    held.lock().unwrap();
    assert_eq!(session.code("kv.open", json!({ "path": yard.path("in/held") })).await, "effect-io");
    drop(held);
    session.kv(Some("in/held")).await;
}
