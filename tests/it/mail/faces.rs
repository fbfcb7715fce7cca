//! How people and programs meet the mailroom: verbs, exit codes, refusals, and who somebody is proved to be.

use super::{
    bodies,
    crash::{peer, root},
    home, read, works,
};
use crate::support::{Daemon, Refusal, eventually, http};
use serde_json::{Value, json};

async fn daemon() -> Daemon {
    let daemon = Daemon::on(root()).await;
    peer(&daemon, "bob");
    daemon
}

fn say(name: &str, body: &str) -> [String; 6] {
    ["send", name, "--message", body, "--wait", "submitted"].map(str::to_owned)
}

fn refs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_sent_shown_and_listed() {
    let daemon = daemon().await;
    let said = daemon.coalmine(&refs(&say("bob", "-h")));
    said.tells(&["submitted: ", "to agent-bob"]);
    daemon.put("words", "two\nlines\n");
    let sent = daemon.ask(&["send", "agent-bob", "--message-file", "words", "--topic", "-t", "--wait", "submitted"]);
    assert_eq!(
        (&sent["state"], &sent["body"], &sent["from"]),
        (&json!("submitted"), &json!("two\nlines"), &json!("operator"))
    );
    assert_eq!(bodies(&read(&home(daemon.folder(), "bob"))), ["-h", "two\nlines"]);
    let id = sent["id"].as_str().unwrap();
    daemon.coalmine(&["mail", "show", id]).tells(&[id, "submitted", "-t", "two\nlines"]);
    daemon.coalmine(&["mail", "list"]).tells(&[id, "STATE", "agent-bob", "-h"]);
    let page = daemon.ask(&["mail", "list", "bob", "-n", "1"]);
    assert_eq!((&page["messages"][0]["id"], &page["next"]), (&json!(id), &json!(id)));
    let page = daemon.ask(&["mail", "list", "--before", id, "--state", "submitted"]);
    assert_eq!((&page["messages"][0]["body"], &page["next"]), (&json!("-h"), &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_sent_is_refused_by_name_and_leaves_nothing() {
    let daemon = daemon().await;
    daemon.put("long", &"é".repeat(16_001));
    daemon.put("binary", "x");
    std::fs::write(daemon.folder().join("binary"), [0xff, 0xfe]).unwrap();
    let refusal = |code, exit, message, hint| Refusal { code, exit, message, hint };
    let rows: [(&[&str], Refusal); 8] = [
        (&["send", "bbo", "--message", "x"], refusal("unknown-peer", 3, "no peer is named bbo", "did you mean bob")),
        (
            &["send", "bob", "--message-file", "long"],
            refusal("message-too-large", 2, "16001 characters; 16000 are the limit", "--attachment FILE"),
        ),
        (&["send", "bob", "--message", ""], refusal("invalid-message", 2, "the body is empty", "--message TEXT")),
        (&["send", "bob", "--message-file", "binary"], refusal("usage", 2, "is not UTF-8 text", "--attachment FILE")),
        (
            &["send", "bob", "--message", "x", "--from", "bob"],
            refusal("not-attested", 4, "nothing proves that bob sends this", "COALMINE_TOKEN"),
        ),
        (&["mail", "show", "nonsense"], refusal("bad-message-id", 2, "\"nonsense\" is no message's id", "mail list")),
        (
            &["mail", "show", "01J0000000000000000000000A"],
            refusal("no-message", 3, "there is no message 01J0000000000000000000000A", "mail list"),
        ),
        (&["interrupt", "nobody"], refusal("unknown-peer", 3, "no peer is named nobody", "coalmine list")),
    ];
    for (args, wanted) in rows {
        daemon.refuses(args, &wanted);
    }
    assert_eq!(daemon.ask(&["mail", "list"])["messages"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exit_code_says_whether_it_landed() {
    let daemon = daemon().await;
    let home = home(daemon.folder(), "bob");
    works(&daemon, "bob").await;
    let waits = daemon.coalmine(&["send", "bob", "--message", "later", "--wait", "submitted", "--timeout", "300ms"]);
    assert_eq!(waits.code, 5, "{waits:?}");
    assert!(waits.out.starts_with("queued: ") && waits.out.contains("; it works"), "{waits:?}");
    let id = waits.out.split_whitespace().nth(1).unwrap();
    daemon.coalmine(&["mail", "cancel", id]).tells(&["failed: ", "(cancelled)"]);
    assert_eq!(daemon.coalmine(&["mail", "cancel", id]).code, 1);
    daemon.ask(&["interrupt", "bob"]);
    eventually("it works no more", || async { (!home.join("busy").exists()).then_some(()) }).await;
    daemon.ask(&["stop", "bob"]);
    let refused = daemon.coalmine(&["send", "bob", "--message", "hello?"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.out.contains("(stopped)") && refused.out.contains("`coalmine start agent-bob`"), "{refused:?}");
    assert_eq!(read(&home), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_goes_with_a_message_and_stays_as_long_as_it() {
    let daemon = daemon().await;
    daemon.put("map", "a map");
    let sent = daemon.ask(&["send", "bob", "--message", "look", "--attachment", "map", "--wait", "submitted"]);
    let id = sent["attachments"][0]["id"].as_str().unwrap();
    assert_eq!(sent["attachments"][0]["label"], "map");
    let sessions = |session: &str| daemon.ask(&["attachment", "list", "--session", session])["items"].clone();
    assert_eq!(sessions("agent-bob")[0]["id"], id);
    assert_eq!(sessions("operator"), json!([]), "the sender keeps nothing");
    daemon.ask(&["attachment", "gc", "--grace", "0s"]);
    daemon.coalmine(&["attachment", "get", id]).tells(&["a map"]);
}

/// A shell in a pane sends as itself, because its session's token proves it, and as nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_sends_as_its_own_peer_and_as_nobody_else() {
    let daemon = daemon().await;
    let send = format!("{} --json send bob --message", env!("CARGO_BIN_EXE_coalmine"));
    let script = format!(
        "{send} 'from a session' >own; {send} 'claimed' --from ann >named; echo $? >code; \
         {send} 'also me' --from shell-ann >named; COALMINE_TOKEN=shell-ann.1.00 {send} forged >forged; echo $? >>code; \
         exec sleep 3600"
    );
    daemon.script("ann", &script);
    eventually("all was tried", || async { (daemon.read("code").lines().count() == 2).then_some(()) }).await;
    let own: Value = serde_json::from_str(&daemon.read("own")).unwrap();
    assert_eq!((&own["data"]["from"], &own["data"]["from_kind"]), (&json!("shell-ann"), &json!("absent")));
    assert_eq!(daemon.read("code"), "0\n4\n", "its own name is its own, and a forged token is nobody's");
    eventually("all that was accepted was read", || async {
        (read(&home(daemon.folder(), "bob")).len() == 3).then_some(())
    })
    .await;
    for (_, block) in read(&home(daemon.folder(), "bob")) {
        assert_eq!(block.from, "shell-ann");
    }
    // A life that is over speaks for nobody.
    let token = format!("Bearer {}", token_of(&daemon));
    daemon.ask(&["stop", "ann"]);
    let body = json!({ "to": "bob", "body": "from the grave" }).to_string();
    let request = format!(
        "POST /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = http::talk(&daemon.paths().daemon_socket(), request.as_bytes());
    assert_eq!((status, &answer["error"]["code"]), (403, &json!("not-attested")));
}

fn token_of(daemon: &Daemon) -> String {
    let life = daemon.paths().peer(&"shell-ann".parse().unwrap()).join("token-g1");
    format!("shell-ann.1.{}", std::fs::read_to_string(life).unwrap())
}
