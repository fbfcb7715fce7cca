//! Statements.

use super::Yard;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::timeout;

/// A statement that never ends by itself.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS m FROM n";
/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn parameters_and_records_keep_their_types() {
    let yard = Yard::new();
    let session = yard.session();
    for handle in [session.sql(None).await, session.sql(Some("in/a/db")).await] {
        session.exec(&handle, "CREATE TABLE t (a, b, c, d, e)").await.unwrap();
        let params = json!([null, i64::MAX, 0.5, "ä\u{1F600}", { "base64": "AP8=" }]);
        let insert = json!({ "handle": handle, "sql": "INSERT INTO t VALUES (?, ?, ?, ?, ?)", "params": params });
        assert_eq!(session.call("sql.exec", insert).await.unwrap(), 1);
        let rows = session.query(&handle, "SELECT *, typeof(e) AS f FROM t").await.unwrap();
        let row =
            json!({ "a": null, "b": i64::MAX, "c": 0.5, "d": "ä\u{1F600}", "e": { "base64": "AP8=" }, "f": "blob" });
        assert_eq!(rows, json!([row]));
        // NULL is found as NULL, and a blob by its bytes.
        let find = json!({ "handle": handle, "sql": "SELECT count(*) AS n FROM t WHERE a IS ? AND e = ? AND b > :big",
                           "params": [null, { "base64": "AP8=" }, true] });
        assert_eq!(session.call("sql.query", find).await.unwrap()["rows"], json!([{ "n": 1 }]));
        assert_eq!(session.exec(&handle, "UPDATE t SET a = 1").await.unwrap(), 1);
        assert_eq!(session.exec(&handle, "INSERT INTO t (a) VALUES (1), (2) RETURNING a").await.unwrap(), 2);
        assert_eq!(session.exec(&handle, "DELETE FROM t WHERE a = 7").await.unwrap(), 0);
        assert_eq!(session.exec(&handle, "CREATE INDEX i ON t (a)").await.unwrap(), 0);
        // What is called text, and is none.
        let rows = session.query(&handle, "SELECT CAST(x'ff' AS TEXT) AS t").await.unwrap();
        assert_eq!(rows, json!([{ "t": { "base64": "/w==" } }]));
    }
}

#[tokio::test]
async fn arguments_that_can_not_be_are_refused_with_their_name() {
    let yard = Yard::new();
    let session = yard.session();
    let handle = session.sql(None).await;
    session.exec(&handle, "CREATE TABLE t (a UNIQUE)").await.unwrap();
    for (op, args, code) in [
        ("sql.open", json!({ "path": yard.path("out/x") }), "denied"),
        ("sql.open", json!({ "path": "x" }), "bad-args"),
        ("sql.open", json!({ "path": "file:/tmp/x?mode=memory" }), "bad-args"),
        ("sql.open", json!({ "path": "" }), "bad-args"),
        ("sql.open", json!({}), "bad-args"),
        ("sql.open", json!({ "path": yard.path("in/missing/x") }), "not-found"),
        ("sql.open", json!({ "path": yard.path("in/a") }), "effect-io"),
        ("sql.query", json!({ "handle": handle, "sql": 7 }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "" }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "SELEC 1" }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT 1\0" }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT 1; SELECT 2" }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT ?" }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT 1", "params": [1] }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT ?", "params": [[1]] }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT ?", "params": [u64::MAX] }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT 1 AS a, 2 AS a" }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT t.a, u.a FROM t, t AS u" }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT 9e999" }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "INSERT INTO t VALUES (1) RETURNING a" }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "BEGIN" }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT 1", "cursor": "x" }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT 1", "limit": 0 }), "bad-args"),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT 1", "limit": 10_001 }), "limit"),
        ("sql.query", json!({ "handle": handle, "sql": "x".repeat(4 * 1024 * 1024 + 1) }), "limit"),
        ("sql.query", json!({ "handle": handle, "sql": "SELECT zeroblob(16 * 1024 * 1024 + 1)" }), "limit"),
        ("sql.exec", json!({ "handle": handle, "sql": "SELECT a FROM t" }), "bad-args"),
        ("sql.exec", json!({ "handle": handle, "sql": "INSERT INTO t VALUES (1), (1)" }), "bad-args"),
    ] {
        assert_eq!(session.code(op, args.clone()).await, code, "{op} {:.80}", args.to_string());
    }
    assert_eq!(session.query(&handle, "SELECT a FROM t").await.unwrap(), json!([]), "nothing of it happened");
}

#[tokio::test]
async fn rows_come_in_pages_and_each_of_them_once() {
    let yard = Yard::new();
    let session = yard.session();
    let handle = session.sql(None).await;
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 249) SELECT i FROM n";
    let mut args = json!({ "handle": handle, "sql": numbers, "limit": 100 });
    let mut seen = Vec::new();
    loop {
        let page = session.call("sql.query", args.clone()).await.unwrap();
        seen.extend(page["rows"].as_array().unwrap().iter().map(|row| row["i"].as_u64().unwrap()));
        match &page["cursor"] {
            Value::Null => break,
            cursor => args["cursor"] = cursor.clone(),
        }
    }
    assert_eq!(seen, (0..250).collect::<Vec<_>>());
    // A page is no longer than it may be, either.
    let long = "WITH n(i) AS (VALUES (1), (2), (3)) SELECT i, replace(hex(zeroblob(3500000)), '00', '00') AS t FROM n";
    let page = session.call("sql.query", json!({ "handle": handle, "sql": long })).await.unwrap();
    assert_eq!((page["rows"].as_array().unwrap().len(), &page["cursor"]), (2, &json!("2")));
}

#[tokio::test]
async fn a_transaction_is_its_handles_own_and_rolled_back_with_it() {
    let yard = Yard::new();
    let session = yard.session();
    let (one, two) = (session.sql(Some("in/db")).await, session.sql(Some("in/db")).await);
    session.exec(&one, "CREATE TABLE t (a)").await.unwrap();
    session.exec(&one, "BEGIN IMMEDIATE").await.unwrap();
    session.exec(&one, "INSERT INTO t VALUES (1)").await.unwrap();
    let waited = session.exec(&two, "INSERT INTO t VALUES (2)").await.unwrap_err();
    assert_eq!(waited.to_string(), "timed out (lock)");
    session.call("sql.close", json!({ "handle": one })).await.unwrap();
    session.exec(&two, "INSERT INTO t VALUES (3)").await.unwrap();
    assert_eq!(session.query(&two, "SELECT a FROM t").await.unwrap(), json!([{ "a": 3 }]));
}

#[tokio::test]
async fn a_database_in_memory_has_an_end() {
    let yard = Yard::new();
    let session = yard.session();
    let handle = session.sql(None).await;
    session.exec(&handle, "CREATE TABLE t (a)").await.unwrap();
    let insert = "INSERT INTO t VALUES (zeroblob(15000000))";
    for _ in 0..4 {
        session.exec(&handle, insert).await.unwrap();
    }
    assert_eq!(session.code("sql.exec", json!({ "handle": handle, "sql": insert })).await, "limit");
    assert_eq!(session.query(&handle, "SELECT count(*) AS n FROM t").await.unwrap(), json!([{ "n": 4 }]));
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_any_more_ends() {
    let yard = Yard::new();
    let session = yard.session();
    let handle = session.sql(None).await;
    let endless = session.query(&handle, ENDLESS);
    assert!(timeout(Duration::from_millis(50), endless).await.is_err(), "it does not end by itself");
    // The handle serves again long before the statement's own deadline.
    let next = timeout(PATIENCE, session.query(&handle, "SELECT 1 AS a")).await;
    assert_eq!(next.expect("the statement was called off").unwrap(), json!([{ "a": 1 }]));
}

#[tokio::test]
async fn a_long_statement_keeps_no_other_handle_waiting() {
    let yard = Yard::new();
    let (busy, other) = (yard.session(), yard.session());
    let (slow, kv) = (busy.sql(None).await, other.kv(None).await);
    let gets = async {
        for _ in 0..100 {
            other.call("kv.get", json!({ "handle": kv, "key": "k" })).await.unwrap();
        }
    };
    tokio::select! {
        biased;
        ended = busy.query(&slow, ENDLESS) => panic!("it ended: {ended:?}"),
        () = gets => {}
    }
}
