//! Where connections go, and where they never do.

use super::{
    super::resolve::{Named, addresses},
    Names, Net, Session, net,
};
use crate::io::effects::net::exchange::Sent;
use crate::io::effects::testing::server::{Server, ok};
use coalmine_actors::effects::{origin::Target, scope::Scope};
use serde_json::json;

#[tokio::test]
async fn what_is_not_granted_or_could_be_read_in_two_ways_is_never_connected_to() {
    let (granted, other) = (Server::answering(ok("granted")).await, Server::answering(ok("other")).await);
    let session = Session::granting(&[&granted.origin()]).await;
    let (port, to) = (granted.port, format!("127.0.0.1:{}", other.port));
    for (url, code) in [
        (other.url("/"), "denied"),
        (format!("https://127.0.0.1:{port}/"), "denied"),
        (format!("http://127.0.0.2:{port}/"), "denied"),
        (format!("http://localhost:{port}/"), "denied"),
        (format!("http://[::ffff:127.0.0.1]:{port}/"), "denied"),
        (format!("http://127.0.0.1:{port}@{to}/"), "bad-args"),
        (format!("http://@{to}/"), "bad-args"),
        (format!("http://127.0.0.1:{port}\\@{to}/"), "bad-args"),
        (format!("http://127.0.0.1:{port}\t@{to}/"), "bad-args"),
        (format!("http://127.0.0.1:{port}/\r\nHost: {to}"), "bad-args"),
        (format!("ftp://127.0.0.1:{port}/"), "bad-args"),
    ] {
        assert_eq!(session.code("net.get", json!({ "url": url })).await, code, "{url}");
        assert_eq!(session.code("http.send", json!({ "method": "GET", "url": url })).await, code, "{url}");
    }
    // Behind the place anything may stand.
    for rest in [format!("/?@{to}"), format!("/#@{to}"), format!("?u=http://{to}/")] {
        assert_eq!(session.get(&granted.url(&rest)).await.unwrap(), "granted", "{rest}");
    }
    assert_eq!(session.get(&format!("http://0x7f000001:{port}/")).await.unwrap(), "granted", "one form of one address");
    assert_eq!(other.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn a_name_that_leads_to_an_address_of_the_house_is_denied_whoever_grants_the_name() {
    let server = Server::answering(ok("inside")).await;
    let port = server.port;
    let names: &[(&str, &[&[&str]])] = &[
        ("evil.example", &[&["127.0.0.1"]]),
        ("mixed.example", &[&["1.1.1.1", "::ffff:127.0.0.1"]]),
        ("guest.example", &[&["169.254.169.254"]]),
        ("localhost", &[&["127.0.0.1"]]),
        ("empty.example", &[&[]]),
    ];
    let hosts = ["evil.example", "mixed.example", "guest.example", "none.example", "empty.example", "localhost"];
    let origins = hosts.map(|name| format!("http://{name}:{port}"));
    let session = Session::with(&origins.each_ref().map(String::as_str), net(Names::of(names))).await;
    for (name, code) in [
        ("evil.example", "denied"),
        ("mixed.example", "denied"),
        ("guest.example", "denied"),
        ("LOCALHOST.", "denied"),
        ("none.example", "network"),
        ("empty.example", "network"),
    ] {
        assert_eq!(session.code("net.get", json!({ "url": format!("http://{name}:{port}/") })).await, code, "{name}");
    }
    assert_eq!(server.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn an_open_scope_names_no_address() {
    let server = Server::answering(ok("inside")).await;
    let session = Session::scoped(Scope::Any, net(Names::of(&[("evil.example", &[&["127.0.0.1"]])]))).await;
    let literal = ["127.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]"];
    for host in
        literal.into_iter().chain(["2130706433", "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "evil.example"])
    {
        let args = json!({ "url": format!("http://{host}:{}/", server.port) });
        assert_eq!(session.code("net.get", args).await, "denied", "{host}");
    }
    assert_eq!(server.seen(), Vec::<String>::new());
    // An address is denied by the decision itself; only a name has to be looked at first.
    let decisions = session.decisions();
    assert!(decisions[..10].iter().all(|(verdict, _)| verdict == "denied"), "{decisions:?}");
    assert_eq!(decisions[10].0, "allowed");
}

#[tokio::test]
async fn a_name_that_changes_its_address_is_asked_once_and_what_was_looked_at_is_connected_to() {
    let server = Server::answering(ok("first")).await;
    let names = Names::of(&[("a.example", &[&["127.0.0.1"], &["127.0.0.2"]])]);
    let connections = net(names.clone());
    let target: Target = format!("http://a.example:{}/", server.port).parse().unwrap();
    let sent = sent(&target, Named::ByOperator);
    let answer = connections.exchange(sent, connections.limits).await.unwrap();
    assert_eq!((&answer.body[..], names.asked()), (&b"first"[..], 1));
    // Public when it was looked at, and of the house a moment later: what was public is what is used.
    let names = Names::of(&[("b.example", &[&["1.1.1.1"], &["127.0.0.1"]])]);
    let target: Target = format!("http://b.example:{}/", server.port).parse().unwrap();
    let found = addresses(&*names, &target.origin, Named::ByRule(None)).await.unwrap();
    assert_eq!(found, [format!("1.1.1.1:{}", server.port).parse().unwrap()]);
    let error = net(names).exchange(self::sent(&target, Named::ByRule(None)), connections.limits).await.unwrap_err();
    assert_eq!((error.code(), server.seen().len()), ("denied", 1));
}

#[tokio::test]
async fn what_the_operator_names_may_be_of_the_house_and_no_cloud_service_by_a_name() {
    let names = Names::of(&[
        ("lan.example", &[&["192.168.1.5"]]),
        ("guest.example", &[&["169.254.169.254"]]),
        ("mixed.example", &[&["10.0.0.1", "100.100.100.200"]]),
    ]);
    for (url, reached) in [
        ("http://lan.example", true),
        ("http://127.0.0.1", true),
        ("http://169.254.169.254", true), // there it stands
        ("http://guest.example", false),
        ("http://mixed.example", false),
    ] {
        let target: Target = url.parse().unwrap();
        assert_eq!(addresses(&*names, &target.origin, Named::ByOperator).await.is_ok(), reached, "{url}");
    }
}

fn sent(target: &Target, named: Named) -> Sent {
    let (method, headers, body) = Default::default();
    Sent { method, target: target.clone(), named, headers, body }
}

#[tokio::test]
async fn without_a_grant_nothing_is_connected_to() {
    let server = Server::answering(ok("")).await;
    let session = Session::scoped(Scope::Deny, Net::default()).await;
    for op in ["net.get", "http.get"] {
        assert_eq!(session.code(op, json!({ "url": server.url("/") })).await, "denied");
    }
    assert_eq!(server.seen(), Vec::<String>::new());
}
