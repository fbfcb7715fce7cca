//! Where an answer leads on.

use super::Session;
use crate::io::effects::testing::server::{Server, ok, redirect};
use serde_json::{Value, json};

/// A request with keys in it.
fn send(url: String, redirects: u64) -> Value {
    json!({ "method": "POST", "url": url, "redirects": redirects, "body": "b",
        "headers": [["Authorization", "key"], ["x-key", "key"], ["Accept", "text/plain"], ["content-type", "a/b"]] })
}

#[tokio::test]
async fn a_redirect_that_is_not_asked_for_is_an_answer_like_any_other() {
    let other = Server::answering(ok("other")).await;
    let away = Server::answering(redirect(302, &other.url("/x"))).await;
    let session = Session::granting(&[&away.origin(), &other.origin()]).await;
    assert_eq!(session.call("http.send", send(away.url("/"), 0)).await.unwrap()["status"], 302);
    assert_eq!(session.get(&away.url("/")).await.unwrap_err().to_string(), "status 302: ");
    assert_eq!(other.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_hop_that_is_not_granted_is_denied_written_down_and_never_made() {
    let other = Server::answering(ok("other")).await;
    let away = Server::answering(redirect(302, &other.url("/x?key=1"))).await;
    let session = Session::granting(&[&away.origin()]).await;
    assert_eq!(session.code("http.send", send(away.url("/"), 3)).await, "denied");
    assert_eq!(other.seen(), Vec::<String>::new());
    let decisions = [("allowed".into(), away.url("/")), ("denied".into(), other.url("/x?…"))];
    assert_eq!(session.decisions(), decisions);
}

#[tokio::test]
async fn a_hop_that_is_granted_is_a_call_of_its_own_and_no_key_goes_along() {
    let other = Server::answering(ok("other")).await;
    let away = Server::answering(redirect(302, &other.url("/x"))).await;
    let session = Session::granting(&[&away.origin(), &other.origin()]).await;
    assert_eq!(session.call("http.send", send(away.url("/"), 1)).await.unwrap()["body"], "other");
    let seen = other.seen().remove(0);
    assert!(seen.starts_with("GET /x ") && seen.ends_with("\r\n\r\n"), "{seen}");
    assert!(!seen.contains("key") && !seen.contains("a/b") && seen.contains("accept: text/plain"), "{seen}");
    let decisions = [("allowed".into(), away.url("/")), ("allowed".into(), other.url("/x"))];
    assert_eq!(session.decisions(), decisions);
}

#[tokio::test]
async fn what_goes_in_circles_ends_after_as_many_hops_as_were_asked_for() {
    let around = Server::answering(redirect(308, "/again")).await;
    let session = Session::granting(&[&around.origin()]).await;
    let answer = session.call("http.send", send(around.url("/"), 10)).await.unwrap();
    assert_eq!((answer["status"].as_u64(), around.seen().len()), (Some(308), 11));
    assert_eq!(session.decisions().len(), 11);
    // To the same place what was sent is sent again, where the answer says so.
    let seen = around.seen().remove(1);
    assert!(seen.starts_with("POST /again ") && seen.contains("authorization: key") && seen.ends_with("\r\n\r\nb"));
}

#[tokio::test]
async fn a_place_that_could_be_read_in_two_ways_is_not_followed() {
    for (to, code) in [
        ("ftp://a.example/", "protocol"),
        ("http://u@127.0.0.1/", "protocol"),
        ("http://[::1", "protocol"),
        ("/\\evil.example/", "denied"), // read as a browser reads it: another host
        ("//evil.example/", "denied"),
        ("https://127.0.0.1/", "denied"),
    ] {
        let around = Server::answering(redirect(307, to)).await;
        let session = Session::granting(&[&around.origin()]).await;
        assert_eq!(session.code("http.send", send(around.url("/"), 3)).await, code, "{to}");
    }
}
