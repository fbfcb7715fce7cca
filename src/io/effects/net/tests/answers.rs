//! What comes back, and what may be sent.

use super::Session;
use crate::io::effects::testing::server::{Server, ok};
use serde_json::{Value, json};

#[tokio::test]
async fn every_operation_gives_what_the_server_said() {
    let answer = "HTTP/1.1 201 Made\r\nset-cookie: a\r\nset-cookie: b\r\ncontent-length: 2\r\n\r\nhi";
    let server = Server::answering(answer).await;
    let session = Session::granting(&[&server.origin()]).await;
    assert_eq!(session.get(&server.url("/a?b=c#d")).await.unwrap(), "hi");
    let posted = session.call("net.post", json!({ "url": server.url("/p"), "body": "text" })).await.unwrap();
    assert_eq!(posted, "hi");
    let told = json!({ "status": 201, "body": "hi",
        "headers": [["set-cookie", "a"], ["set-cookie", "b"], ["content-length", "2"]] });
    assert_eq!(session.call("http.get", json!({ "url": server.url("") })).await.unwrap(), told);
    let post = json!({ "url": server.url("/"), "body": "{}", "content_type": "application/json" });
    assert_eq!(session.call("http.post", post).await.unwrap(), told);
    let headers = json!([["x-a", "1"], ["x-a", "2"], ["User-Agent", "mine"]]);
    let send = json!({ "method": "PATCH", "url": server.url("/"), "headers": headers, "body": "b" });
    assert_eq!(session.call("http.send", send).await.unwrap(), told);

    let seen = server.seen();
    assert!(seen[0].starts_with("GET /a?b=c HTTP/1.1\r\n") && !seen[0].contains('#'), "{}", seen[0]);
    assert!(seen[0].contains(&format!("host: 127.0.0.1:{}\r\n", server.port)), "{}", seen[0]);
    assert!(seen[1].starts_with("POST /p ") && seen[1].ends_with("\r\n\r\ntext"), "{}", seen[1]);
    assert!(seen[2].starts_with("GET / "), "{}", seen[2]);
    assert!(seen[3].contains("content-type: application/json\r\n"), "{}", seen[3]);
    assert!(seen[4].starts_with("PATCH ") && seen[4].contains("x-a: 1\r\nx-a: 2\r\n"), "{}", seen[4]);
    assert!(seen[4].contains("user-agent: mine\r\n") && !seen[4].contains("coalmine"), "{}", seen[4]);
    server.left(5).await;
}

#[tokio::test]
async fn another_status_is_an_error_of_the_plain_operations_and_a_result_of_the_others() {
    let server = Server::answering("HTTP/1.1 404 Gone\r\ncontent-length: 4\r\n\r\nnone").await;
    let session = Session::granting(&[&server.origin()]).await;
    let error = session.get(&server.url("/")).await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("status", "status 404: none"));
    assert_eq!(session.call("http.get", json!({ "url": server.url("/") })).await.unwrap()["status"], 404);
}

#[tokio::test]
async fn a_body_that_is_no_text_is_bytes_or_an_error() {
    let binary = Server::answering(b"HTTP/1.1 200 OK\r\nx: \xff\r\ncontent-length: 2\r\n\r\n\x00\xff".to_vec()).await;
    let session = Session::granting(&[&binary.origin()]).await;
    assert_eq!(session.get(&binary.url("/")).await.unwrap_err().code(), "decode");
    let told = session.call("http.get", json!({ "url": binary.url("/") })).await.unwrap();
    assert_eq!(told["body"], json!({ "base64": "AP8=" }));
    assert_eq!(told["headers"][0], json!(["x", { "base64": "/w==" }]));
}

#[tokio::test]
async fn what_comes_before_the_answer_is_passed_over() {
    let early = format!("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n{}", ok("whole"));
    let server = Server::answering(early).await;
    assert_eq!(Session::granting(&[&server.origin()]).await.get(&server.url("/")).await.unwrap(), "whole");
}

#[tokio::test]
async fn arguments_that_can_not_be_are_refused_with_their_name_and_nobody_is_asked() {
    let server = Server::answering(ok("")).await;
    let session = Session::granting(&[&server.origin()]).await;
    let url = server.url("/");
    for (op, args, code) in [
        ("net.get", json!({}), "bad-args"),
        ("net.get", json!({ "url": 7 }), "bad-args"),
        ("net.get", json!({ "url": format!("{url}{}", "x".repeat(9_000)) }), "limit"),
        ("net.post", json!({ "url": url }), "bad-args"),
        ("net.post", json!({ "url": url, "body": "b".repeat(16 * 1024 * 1024 + 1) }), "limit"),
        ("http.post", json!({ "url": url, "body": "", "content_type": "a\nb" }), "bad-args"),
        ("http.send", json!({ "url": url, "method": "get" }), "bad-args"),
        ("http.send", json!({ "url": url, "method": "CONNECT" }), "bad-args"),
        ("http.send", json!({ "url": url, "method": "GET", "headers": [["host", "other"]] }), "bad-args"),
        ("http.send", json!({ "url": url, "method": "GET", "headers": [["Transfer-Encoding", "x"]] }), "bad-args"),
        ("http.send", json!({ "url": url, "method": "GET", "headers": [["a b", "x"]] }), "bad-args"),
        ("http.send", json!({ "url": url, "method": "GET", "headers": [["a", "x\r\nb: c"]] }), "bad-args"),
        ("http.send", json!({ "url": url, "method": "GET", "headers": [["a", "x\u{7f}"]] }), "bad-args"),
        ("http.send", json!({ "url": url, "method": "GET", "timeout_ms": 600_001 }), "limit"),
        ("http.send", json!({ "url": url, "method": "GET", "redirects": 11 }), "limit"),
    ] {
        assert_eq!(session.code(op, args.clone()).await, code, "{op} {:.80}", args.to_string());
    }
    assert_eq!(server.seen(), Vec::<String>::new());
    let every = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "REPORT"];
    for method in every {
        session.call("http.send", json!({ "url": url, "method": method })).await.unwrap();
    }
    let methods: Vec<Value> = server.seen().iter().map(|asked| asked.split(' ').next().into()).collect();
    assert_eq!(methods, every);
}
