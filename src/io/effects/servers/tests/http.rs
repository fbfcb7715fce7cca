//! Requests and answers, and how much of everything there may be.

use super::*;
use crate::io::effects::servers::limits::HEAD_BYTES_MAX;

fn function(name: &str) -> Value {
    json!({ "function": name })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_given_the_request_and_its_answer_comes_back() {
    let town = Town::new(OPEN).await;
    let site = town.serving(Op::NetServe, function("echo")).await;
    let reply = site.ask("POST", "/a/b?x=1&y", b"hello");
    assert_eq!(reply.status, 200);
    assert!(reply.head.contains("content-type: application/json"), "{}", reply.head);
    let asked = reply.json();
    assert_eq!((&asked["method"], &asked["path"]), (&"POST".into(), &"/a/b".into()));
    assert_eq!((&asked["query"], &asked["body"]), (&"x=1&y".into(), &"hello".into()));
    assert!(asked["headers"].as_array().unwrap().contains(&json!(["host", "localhost"])));
    assert_eq!(site.ask("GET", "/", &[0xff]).json()["body"]["base64"], "/w==");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_one_request_after_the_other() {
    let town = Town::new(OPEN).await;
    let site = town.serving(Op::NetServe, function("path")).await;
    let mut stream = site.connect();
    for path in ["/one", "/two"] {
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(path.as_bytes()) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_one_byte_too_long_is_refused_and_the_longest_is_not() {
    let limits = Limits { body_bytes: 1_000, ..Limits::default() };
    assert_eq!(Limits::default().body_bytes, 1024 * 1024);
    let town = Town::within(OPEN, limits).await;
    let site = town.serving(Op::NetServe, function("size")).await;
    assert_eq!(site.ask("POST", "/", &[b'x'; 1_000]).text(), "1000");
    let refused = site.ask("POST", "/", &[b'x'; 1_001]);
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (413, &"body-too-large".into()));
    // The same where nobody says before how long it will be.
    let mut stream = site.connect();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    write!(stream, "3e9\r\n{}\r\n0\r\n\r\n", "x".repeat(1_001)).unwrap();
    assert_eq!(Reply::read(&mut stream).status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_refused() {
    let town = Town::new(OPEN).await;
    let site = town.serving(Op::NetServe, function("path")).await;
    let head = |bytes: usize| {
        let (before, after) = ("GET /in HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: ", "\r\n\r\n");
        format!("{before}{}{after}", "x".repeat(bytes - before.len() - after.len()))
    };
    for (bytes, status) in [(HEAD_BYTES_MAX, 200), (HEAD_BYTES_MAX + 1, 431)] {
        let mut stream = site.connect();
        stream.write_all(head(bytes).as_bytes()).unwrap();
        assert_eq!(Reply::read(&mut stream).status, status, "{bytes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_head_too_slowly_or_nothing_at_all_is_hung_up_on() {
    let limits = Limits { head_time: Duration::from_millis(200), ..Limits::default() };
    let town = Town::within(OPEN, limits).await;
    let site = town.serving(Op::NetServe, function("path")).await;
    let (mut slow, mut silent) = (site.connect(), site.connect());
    slow.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-").unwrap();
    assert!(!rest(&mut slow).starts_with(b"HTTP/1.1 200"));
    assert_eq!(rest(&mut silent), b"");
    assert_eq!(site.ask("GET", "/on", b"").text(), "/on");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_body_or_takes_an_answer_too_slowly_is_hung_up_on() {
    let limits = Limits { exchange_time: Duration::from_millis(300), ..Limits::default() };
    let town = Town::within(OPEN, limits).await;
    let site = town.serving(Op::NetServe, function("large")).await;
    let mut stalled = site.connect();
    stalled.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx").unwrap();
    assert_eq!(rest(&mut stalled), b"");
    let mut deaf = site.connect();
    deaf.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    until("it is let in", || (site.sockets() == 2).then_some(())).await;
    until("nobody holds the socket of who does not read", || (site.sockets() == 1).then_some(())).await;
    assert!(rest(&mut deaf).len() < 16 * 1024 * 1024, "not all of it was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_there_may_be_are_hung_up_on_until_one_goes() {
    let limits = Limits { connections: 2, ..Limits::default() };
    assert_eq!(Limits::default().connections, 256);
    let town = Town::within(OPEN, limits).await;
    let site = town.serving(Op::NetServe, function("path")).await;
    let mut held: Vec<_> = (0..2).map(|_| site.connect()).collect();
    for stream in &mut held {
        stream.write_all(b"GET /in HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        stream.read_exact(&mut [0]).unwrap(); // it is in
    }
    assert_eq!(rest(&mut site.connect()), b"");
    held.pop();
    until("there is a place again", || {
        let mut stream = site.connect();
        let _hung_up_on = stream.write_all(b"GET /in HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        rest(&mut stream).ends_with(b"/in").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_places_of_all_servers_together_are_bounded_too() {
    let town = Town::within(OPEN, Limits { connections_of_all: 1, ..Limits::default() }).await;
    let (one, other) =
        (town.serving(Op::NetServe, function("path")).await, town.serving(Op::NetServe, function("path")).await);
    let mut held = one.connect();
    held.write_all(b"GET /in HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    held.read_exact(&mut [0]).unwrap();
    assert_eq!(rest(&mut other.connect()), b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_can_be_answered_at_once_are_told_to_come_again() {
    let town = Town::within(OPEN, Limits { handlers: 1, ..Limits::default() }).await;
    let site = town.serving(Op::NetServe, function("hold")).await;
    let mut first = site.connect();
    first.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    town.arrived.notified().await;
    let busy = site.ask("GET", "/", b"");
    assert_eq!((busy.status, &busy.json()["error"]["code"]), (503, &"busy".into()));
    assert!(busy.head.contains("retry-after: 1"), "{}", busy.head);
    town.release.notify_one();
    assert_eq!(Reply::read(&mut first).text(), "/held");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_fails_tells_the_session_why_and_whoever_asked_a_number() {
    let short = Limits { handler_time: Duration::from_millis(100), ..Limits::default() };
    for (name, why, limits) in [
        ("panic", "without an answer", Limits::default()),
        ("fail", "the secret of the function", Limits::default()),
        ("bad", "status", Limits::default()),
        ("hold", "timed out (handler)", short),
    ] {
        let town = Town::within(OPEN, limits).await;
        let site = town.serving(Op::NetServe, function(name)).await;
        let (first, second) = (site.ask("GET", "/x?secret", b"").failure(), site.ask("GET", "/x", b"").failure());
        assert_ne!(first, second, "{name}: each failure has a number of its own, and the server lives");
        let log = town.log_with(&second).await;
        let line = log.lines().find(|line| line.contains(&first)).unwrap();
        assert!(line.contains(why) && line.contains("GET /x") && !line.contains("?secret"), "{name}: {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_granted_or_out_of_scope_does_not_listen() {
    let listed = OPEN.replace("\"any\"", "[\"http://127.0.0.1:47321\", \"https://127.0.0.1:47322\"]");
    let serve = |port: u16, handler: Value| json!({ "port": port, "handler": handler });
    for (policy, op, args) in [
        ("", Op::NetServe, serve(0, function("path"))),
        (&*OPEN.replace("net = \"any\"", ""), Op::NetServe, serve(47321, function("path"))),
        (&*listed, Op::NetServe, serve(0, function("path"))),
        (&*listed, Op::NetServe, serve(47322, function("path"))),
        (&*listed, Op::NetServeWs, serve(47323, function("path"))),
        (OPEN, Op::NetServe, serve(0, json!({ "program": "answer" }))),
        (OPEN, Op::NetServe, serve(0, json!({ "peer": "carol" }))),
    ] {
        let town = Town::new(policy).await;
        let session = town.session("shell-bob").await;
        let error = call(&session, op, args.clone()).await.unwrap_err();
        assert_eq!(error.code(), "denied", "{policy} {op} {args}");
    }
    let town = Town::new(OPEN).await;
    let session = town.session("shell-bob").await;
    let error = call(&session, Op::NetServe, serve(0, function("nobody"))).await.unwrap_err();
    assert_eq!(error.to_string(), "bad argument \"handler\": is no function that this fleet has");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_refused_in_words() {
    let town = Town::new(OPEN).await;
    let site = town.serving(Op::NetServe, function("path")).await;
    let again = json!({ "port": site.port, "handler": function("path") });
    let error = call(&site.session, Op::NetServe, again).await.unwrap_err();
    assert!(error.to_string().contains("somebody listens there already"), "{error}");
}
