//! The end of a server: its port is free, and everybody is gone.

use super::*;
use std::net::TcpListener;

fn is_free(site: &Site) -> bool {
    TcpListener::bind(("127.0.0.1", site.port)).is_ok()
}

fn path() -> Value {
    json!({ "function": "path" })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_closed_is_gone_with_its_connections_and_its_handle() {
    let town = Town::new(OPEN).await;
    let site = town.serving(Op::NetServe, path()).await;
    let mut idle = site.connect();
    idle.write_all(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    idle.read_exact(&mut [0]).unwrap();
    site.close().await;
    assert!(is_free(&site), "once it is answered the port is free");
    assert_eq!(site.sockets(), 0);
    rest(&mut idle);
    for op in [Op::NetClose, Op::NetAddress] {
        let error = call(&site.session, op, json!({ "handle": site.handle })).await.unwrap_err();
        assert_eq!(error, EffectError::UnknownHandle);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_answered_when_a_server_closes_is_answered() {
    let town = Town::new(OPEN).await;
    let site = town.serving(Op::NetServe, json!({ "function": "hold" })).await;
    let mut stream = site.connect();
    stream.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    town.arrived.notified().await;
    let closing = tokio::spawn({
        let (session, handle) = (site.session.clone(), site.handle.clone());
        async move { call(&session, Op::NetClose, json!({ "handle": handle })).await }
    });
    until("nobody new comes in", || is_free(&site).then_some(())).await;
    town.release.notify_one();
    assert_eq!(Reply::read(&mut stream).text(), "/held");
    closing.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_come_to_an_end_is_hung_up_on_after_the_grace() {
    let town = Town::within(OPEN, Limits { grace: Duration::from_millis(100), ..Limits::default() }).await;
    let site = town.serving(Op::NetServe, json!({ "function": "hold" })).await;
    let mut stream = site.connect();
    stream.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    town.arrived.notified().await;
    site.close().await;
    assert_eq!((rest(&mut stream), site.sockets()), (Vec::new(), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_leaves_no_port_and_no_socket() {
    let town = Town::new(OPEN).await;
    for op in [Op::NetServe, Op::NetServeWs] {
        let site = town.serving(op, path()).await;
        let mut streams: Vec<_> = (0..3).map(|_| site.connect()).collect();
        for stream in &mut streams {
            stream.write_all(b"GET /a/b HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            stream.read_exact(&mut [0]).unwrap();
        }
        site.session.end();
        streams.iter_mut().for_each(|stream| drop(rest(stream)));
        until("the port is free", || is_free(&site).then_some(())).await;
        until("no socket is left", || (site.sockets() == 0).then_some(())).await;
        let again = json!({ "port": site.port, "handler": path() });
        assert_eq!(call(&site.session, op, again).await.unwrap_err(), EffectError::Cancelled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_nobody_has_any_more_ends_with_its_servers() {
    let town = Town::new(OPEN).await;
    let Site { session, handle, port } = town.serving(Op::NetServe, path()).await;
    drop(session);
    let site = Site { session: town.session("shell-bob").await, handle, port };
    until("the port is free", || is_free(&site).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_handle_is_unknown_to_every_other_session() {
    let town = Town::new(OPEN).await;
    let site = town.serving(Op::NetServe, path()).await;
    let other = town.session("shell-bob").await;
    for op in [Op::NetClose, Op::NetAddress] {
        let error = call(&other, op, json!({ "handle": site.handle })).await.unwrap_err();
        assert_eq!(error, EffectError::UnknownHandle);
    }
    assert_eq!(site.ask("GET", "/on", b"").text(), "/on");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_more_than_a_session_may_have_is_refused() {
    let town = Town::new(OPEN).await;
    let session = town.session("shell-bob").await;
    let serve = json!({ "port": 0, "handler": path() });
    for _ in 0..16 {
        call(&session, Op::NetServe, serve.clone()).await.unwrap();
    }
    assert_eq!(call(&session, Op::NetServe, serve).await.unwrap_err(), EffectError::TooManyHandles { max: 16 });
}
