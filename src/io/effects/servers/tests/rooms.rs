//! Connections that stay: their rooms, what they say and hear, and how they end.

use super::*;
use crate::io::effects::servers::limits::{MESSAGE_BYTES_MAX, UNANSWERED_MAX};
use tokio_tungstenite::tungstenite::{
    self, ClientRequestBuilder, Message, WebSocket, client,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

type Guest = WebSocket<TcpStream>;

fn enter(site: &Site, room: &str) -> Guest {
    try_enter(site, room, None).unwrap()
}

/// Gives the status where it is refused.
fn try_enter(site: &Site, room: &str, origin: Option<&str>) -> Result<Guest, u16> {
    let uri = format!("ws://localhost:{}/{room}", site.port).parse().unwrap();
    let mut request = ClientRequestBuilder::new(uri);
    if let Some(origin) = origin {
        request = request.with_header("Origin", origin);
    }
    match client(request, site.connect()) {
        Ok((guest, _)) => Ok(guest),
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(refusal))) => Err(refusal.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

/// The next text.
fn hear(guest: &mut Guest) -> String {
    loop {
        match guest.read().unwrap() {
            Message::Text(text) => return text.to_string(),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn say(guest: &mut Guest, text: &str) {
    guest.send(Message::text(text)).unwrap();
}

/// How it was closed by the other side, after whatever was said before.
fn farewell(guest: &mut Guest) -> (u16, String) {
    loop {
        match guest.read().unwrap() {
            Message::Close(Some(CloseFrame { code, reason })) => return (code.into(), reason.to_string()),
            Message::Close(None) => panic!("no word about why"),
            _ => {}
        }
    }
}

async fn broadcast(session: &EffectSession, room: &str, body: &str) -> Value {
    call(session, Op::ChatBroadcast, json!({ "room": room, "body": body })).await.unwrap()
}

async fn send(session: &EffectSession, connection: &str, body: &str) -> Value {
    call(session, Op::ChatSend, json!({ "connection": connection, "body": body })).await.unwrap()
}

/// The name that `chat.send` knows this one by.
fn name_of(guest: &mut Guest) -> String {
    say(guest, "who am I?");
    hear(guest)
}

async fn whoami(town: &Town) -> Site {
    town.serving(Op::NetServeWs, json!({ "function": "whoami" })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_goes_to_the_handler_and_its_answer_comes_back_in_order() {
    let town = Town::new(OPEN).await;
    let site = town.serving(Op::NetServeWs, json!({ "function": "echo" })).await;
    let mut guest = enter(&site, "lobby?x=1");
    for n in 0..20 {
        say(&mut guest, &format!("number {n}"));
    }
    for n in 0..20 {
        let asked: Value = serde_json::from_str(&hear(&mut guest)).unwrap();
        assert_eq!((&asked["method"], &asked["path"]), (&"MESSAGE".into(), &"/lobby".into()));
        assert_eq!((&asked["query"], &asked["body"]), (&"x=1".into(), &format!("number {n}").into()));
        assert_eq!(asked["connection"].as_str().unwrap().len(), 32);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_hears_a_broadcast_and_one_connection_what_is_sent_to_it() {
    let town = Town::new(OPEN).await;
    let site = whoami(&town).await;
    let (mut one, mut two, mut elsewhere) = (enter(&site, "a"), enter(&site, "a"), enter(&site, "b"));
    let names = [name_of(&mut one), name_of(&mut two), name_of(&mut elsewhere)];
    assert_eq!(broadcast(&site.session, "a", "to a").await, 2);
    assert_eq!(broadcast(&site.session, "nobody", "x").await, 0);
    assert_eq!(send(&site.session, &names[2], "to you").await, true);
    assert_eq!((hear(&mut one), hear(&mut two), hear(&mut elsewhere)), ("to a".into(), "to a".into(), "to you".into()));
    one.close(None).unwrap();
    until("it has left", || one.read().is_err().then_some(())).await;
    // Its place is free a moment after the goodbye.
    let gone = async { while send(&site.session, &names[0], "x").await != false {} };
    tokio::time::timeout(LONG, gone).await.expect("who has left is reached no more");
    assert_eq!(broadcast(&site.session, "a", "x").await, 1);
    // Nobody is told a whole name by the audit log.
    let resources: Vec<_> = town.audited("chat.send").iter().map(|line| line["resource"].clone()).collect();
    assert!(resources.iter().all(|resource| resource.as_str().unwrap().len() == 8), "{resources:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_do_not_reach_one_anothers_rooms() {
    let town = Town::new(OPEN).await;
    let (mine, others) = (whoami(&town).await, whoami(&town).await);
    let (mut my_guest, mut their_guest) = (enter(&mine, "a"), enter(&others, "a"));
    let (my_name, their_name) = (name_of(&mut my_guest), name_of(&mut their_guest));
    assert_eq!(send(&mine.session, &their_name, "x").await, false);
    assert_eq!(send(&mine.session, &my_name, "to you").await, true);
    assert_eq!(broadcast(&mine.session, "a", "to mine").await, 1);
    assert_eq!(broadcast(&others.session, "a", "to theirs").await, 1);
    assert_eq!((hear(&mut my_guest), hear(&mut my_guest)), ("to you".into(), "to mine".into()));
    assert_eq!(hear(&mut their_guest), "to theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_hosts_may_not_connect() {
    let town = Town::new(OPEN).await;
    let site = whoami(&town).await;
    for origin in ["http://evil.example", "null", "http://localhost:1", "https://localhost"] {
        assert_eq!(try_enter(&site, "a", Some(origin)).err(), Some(403), "{origin}");
    }
    let home = format!("http://localhost:{}", site.port);
    assert!(!name_of(&mut try_enter(&site, "a", Some(&home)).unwrap()).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_no_room_or_is_no_connection_that_stays_is_refused() {
    let town = Town::new(OPEN).await;
    let site = whoami(&town).await;
    for path in ["", "a/b", "a%20b", &"x".repeat(129)] {
        assert_eq!(try_enter(&site, path, None).err(), Some(404), "{path}");
    }
    assert_eq!(site.ask("GET", "/a", b"").status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_too_slowly_is_closed_by_policy_and_the_others_go_on() {
    let town = Town::new(OPEN).await;
    let site = whoami(&town).await;
    let (mut slow, mut quick) = (enter(&site, "a"), enter(&site, "a"));
    let (slow_name, _) = (name_of(&mut slow), name_of(&mut quick));
    let text = "x".repeat(MESSAGE_BYTES_MAX);
    let mut said = 0;
    while broadcast(&site.session, "a", &text).await == 2 {
        said += 1;
        assert_eq!(hear(&mut quick), text);
        assert!(said < 10_000, "it is never too much");
    }
    assert!(said >= Limits::default().waiting_messages);
    assert_eq!(hear(&mut quick), text);
    assert_eq!(send(&site.session, &slow_name, "x").await, false);
    let (code, why) = farewell(&mut slow);
    assert_eq!((code, why.as_str()), (1008, "too slow: more was said than it took"));
    assert!(!name_of(&mut quick).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_long_or_no_text_ends_its_connection_alone() {
    let town = Town::new(OPEN).await;
    let site = town.serving(Op::NetServeWs, json!({ "function": "size" })).await;
    let (mut longest, mut longer, mut binary) = (enter(&site, "a"), enter(&site, "a"), enter(&site, "a"));
    say(&mut longest, &"x".repeat(MESSAGE_BYTES_MAX));
    assert_eq!(hear(&mut longest), MESSAGE_BYTES_MAX.to_string());
    say(&mut longer, &"x".repeat(MESSAGE_BYTES_MAX + 1));
    assert_eq!(farewell(&mut longer).0, u16::from(CloseCode::Size));
    binary.send(Message::binary(vec![1])).unwrap();
    assert_eq!(farewell(&mut binary).0, u16::from(CloseCode::Unsupported));
    say(&mut longest, "on");
    assert_eq!(hear(&mut longest), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_fails_closes_the_connection_with_the_failures_number() {
    let town = Town::new(OPEN).await;
    let site = town.serving(Op::NetServeWs, json!({ "function": "fail" })).await;
    let mut guest = enter(&site, "a");
    say(&mut guest, "x");
    let (code, why) = farewell(&mut guest);
    let id = why.strip_prefix("failure ").unwrap();
    assert_eq!((code, id.len()), (1011, 32));
    assert!(town.log_with(id).await.contains("the secret of the function"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_a_body_is_no_message() {
    let town = Town::new(OPEN).await;
    let site = town.serving(Op::NetServeWs, json!({ "function": "silent" })).await;
    let mut guest = enter(&site, "a");
    say(&mut guest, "x");
    until("it is in the room", || (site_count(&site) == 1).then_some(())).await;
    assert_eq!(broadcast(&site.session, "a", "said").await, 1);
    assert_eq!(hear(&mut guest), "said");
}

fn site_count(site: &Site) -> usize {
    // The listener is the other one.
    site.sockets() - 1
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_calls_off_what_was_to_answer_also_with_more_unanswered() {
    let town = Town::new(OPEN).await;
    let site = town.serving(Op::NetServeWs, json!({ "function": "hold" })).await;
    let mut guest = enter(&site, "a");
    say(&mut guest, "one");
    say(&mut guest, "two");
    town.arrived.notified().await;
    assert_eq!(broadcast(&site.session, "a", "heard meanwhile").await, 1);
    assert_eq!(hear(&mut guest), "heard meanwhile");
    assert_eq!(town.called_off.load(Ordering::Relaxed), 0);
    drop(guest);
    until("it is called off", || (town.called_off.load(Ordering::Relaxed) == 1).then_some(())).await;
    until("it has left", || (site_count(&site) == 0).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_messages_than_may_wait_are_all_answered_in_order() {
    let town = Town::new(OPEN).await;
    let site = town.serving(Op::NetServeWs, json!({ "function": "size" })).await;
    let mut guest = enter(&site, "a");
    let lengths = 1..UNANSWERED_MAX * 5;
    lengths.clone().for_each(|length| say(&mut guest, &"x".repeat(length)));
    lengths.for_each(|length| assert_eq!(hear(&mut guest), length.to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_asked_whether_it_is_there_and_says_nothing_is_closed() {
    let short = Duration::from_millis(100);
    let town = Town::within(OPEN, Limits { ping_every: short, silence: short * 2, ..Limits::default() }).await;
    let site = whoami(&town).await;
    let (mut there, mut gone) = (enter(&site, "a"), enter(&site, "a"));
    // Reading answers pings; the other one does not read, for longer than the silence that there may be.
    for _ in 0..6 {
        assert!(matches!(there.read().unwrap(), Message::Ping(_)));
    }
    assert_eq!(farewell(&mut gone), (1001, "nothing was heard".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_server_closes_everybody_is_told_so() {
    let town = Town::new(OPEN).await;
    let site = whoami(&town).await;
    let mut guests: Vec<_> = (0..3).map(|_| enter(&site, "a")).collect();
    let ended = std::thread::spawn(move || {
        guests
            .iter_mut()
            .map(|guest| {
                let said = farewell(guest);
                while guest.read().is_ok() {}
                said
            })
            .collect::<Vec<_>>()
    });
    site.close().await;
    assert_eq!(ended.join().unwrap(), vec![(1001, "the server closes".to_owned()); 3]);
    assert_eq!(site.sockets(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_need_their_kind() {
    let town = Town::new(&OPEN.replace(", \"chat\"", "")).await;
    let site = whoami(&town).await;
    for (op, args) in [
        (Op::ChatBroadcast, json!({ "room": "a", "body": "x" })),
        (Op::ChatSend, json!({ "connection": "1", "body": "x" })),
    ] {
        assert_eq!(call(&site.session, op, args).await.unwrap_err().code(), "denied");
    }
}
