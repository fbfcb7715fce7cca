//! What a session says of itself and of its mail: `done`, `mail ack`; and who may say it. `refresh` from outside.

use super::{
    crash::{home_of, peer, root},
    token,
};
use crate::support::{Daemon, Refusal, Said, eventually, http};
use serde_json::{Value, json};
use std::process::Command;

/// A fleet with `bob`, who takes whatever comes, and `eve`, who sleeps and takes one task a life.
async fn daemon() -> Daemon {
    let daemon = Daemon::on(root()).await;
    peer(&daemon, "bob");
    daemon.ask(&[
        "create",
        "eve",
        "--runtime",
        "agent",
        "--wake-policy",
        "ephemeral",
        "--env",
        &home_of(&daemon, "eve"),
    ]);
    daemon
}

fn post(daemon: &Daemon, target: &str, token: &str) -> (u16, Value) {
    let request = format!(
        "POST {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-length: 4\r\n\r\nnull"
    );
    http::talk(&daemon.paths().daemon_socket(), request.as_bytes())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_end_of_a_task_is_refused_by_name_and_ends_nothing() {
    let daemon = daemon().await;
    let refusal = |code, exit, message, hint| Refusal { code, exit, message, hint };
    let rows: [(&[&str], Refusal); 7] = [
        (&["done"], refusal("usage", 2, "COALMINE_TOKEN is not set", "`coalmine done PEER`")),
        (&["done", "nobody"], refusal("unknown-peer", 3, "no peer is named nobody", "coalmine list")),
        (&["done", "bob"], refusal("unsupported", 1, "agent-bob takes whatever comes", "wake_policy = \"ephemeral\"")),
        (&["done", "eve"], refusal("wrong-phase", 1, "asleep", "`coalmine send agent-eve`")),
        (&["refresh", "nobody"], refusal("unknown-peer", 3, "no peer is named nobody", "coalmine list")),
        (&["mail", "ack", "nonsense"], refusal("bad-message-id", 2, "\"nonsense\" is no message's id", "mail list")),
        (
            &["mail", "ack", "01J0000000000000000000000A"],
            refusal("no-message", 3, "there is no message 01J0000000000000000000000A", "mail list"),
        ),
    ];
    for (args, wanted) in rows {
        daemon.refuses(args, &wanted);
    }
    assert_eq!(daemon.coalmine(&["create", "zoe", "--wake-policy", "sometimes", "--", "sleep", "9"]).code, 2);
    // A token of nobody, and one of another peer.
    let bob = token(&daemon.paths(), "agent-bob", 1);
    for wrong in ["agent-eve.1.00", "", &bob] {
        let (status, answer) = post(&daemon, "/v1/peers/eve/done", wrong);
        assert_eq!((status, &answer["error"]["code"]), (403, &json!("not-in-session")), "{wrong}");
    }
}

/// The program in the pane says that it is done; the next start is a life of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_says_that_its_task_is_done_and_its_life_ends() {
    let daemon = Daemon::on(root()).await;
    let script = format!("{} done; sleep 3600", env!("CARGO_BIN_EXE_coalmine"));
    daemon.ask(&["create", "ann", "--wake-policy", "ephemeral", "--start", "--", "sh", "-c", &script]);
    let ann = daemon.until("ann", "asleep", |ann| ann["phase"] == "asleep").await;
    assert_eq!(
        (&ann["gen"], &ann["detail"], &ann["wake_policy"]),
        (&json!(1), &json!("its task is done"), &json!("ephemeral"))
    );
    daemon.coalmine(&["show", "ann"]).tells(&["when the one task of its life is done"]);
    let claim = daemon.paths().peer(&"shell-ann".parse().unwrap()).join("claim-g1");
    let claim = std::fs::read_to_string(claim).unwrap();
    assert!(claim.contains("why=task-over") && claim.contains("by=peer"), "{claim}");
    assert_eq!(daemon.ask(&["deaths"]), json!([]), "it was meant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_its_recipient_says_that_a_message_was_read() {
    let daemon = daemon().await;
    let sent = daemon.ask(&["send", "bob", "--message", "read this", "--wait", "submitted"]);
    let id = sent["id"].as_str().unwrap();
    let seen = format!("/v1/messages/{id}/seen");
    daemon.ask(&["start", "eve"]);
    let (eve, bob) = (token(&daemon.paths(), "agent-eve", 1), token(&daemon.paths(), "agent-bob", 1));
    let (status, answer) = post(&daemon, &seen, &eve);
    assert_eq!((status, &answer["error"]["code"]), (403, &json!("not-yours")));
    let (status, answer) = post(&daemon, &seen, "agent-bob.1.00");
    assert_eq!((status, &answer["error"]["code"]), (403, &json!("not-in-session")));
    let (status, answer) = post(&daemon, &seen, &bob);
    assert_eq!((status, &answer["data"]["state"]), (200, &json!("seen")), "{answer}");
    // Whoever says it again is right again.
    daemon.coalmine(&["mail", "ack", id]).tells(&["seen: ", id]);
    assert_eq!(daemon.ask(&["mail", "ack", id])[0]["state"], "seen");
}

/// What a hook does: it hands on what its agent was given.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_finds_the_messages_in_what_it_is_given() {
    let daemon = daemon().await;
    let sent = daemon.ask(&["send", "bob", "--message", "x", "--wait", "submitted"]);
    let id = sent["id"].as_str().unwrap();
    daemon.put("prompt", &json!({ "prompt": format!("<coalmine-message id=\"{id}\" from=\"ann\">\nx") }).to_string());
    let script = format!("{} mail ack - <prompt >said 2>&1; exec sleep 3600", env!("CARGO_BIN_EXE_coalmine"));
    // From another session it is refused, and said why.
    daemon.script("ann", &script);
    let said =
        || async { daemon.folder().join("said").exists().then(|| daemon.read("said")).filter(|said| !said.is_empty()) };
    assert!(eventually("it was refused", said).await.contains("is for agent-bob"));
    let bob = token(&daemon.paths(), "agent-bob", 1);
    let ack = format!("exec {} mail ack - <prompt", env!("CARGO_BIN_EXE_coalmine"));
    let mut hook = Command::new("sh");
    hook.args(["-c", &ack]).env_clear().envs(daemon.env()).env("COALMINE_TOKEN", bob).current_dir(daemon.folder());
    let said = Said::of(&mut hook);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(daemon.ask(&["mail", "show", id])["state"], "seen");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_tells_the_life_that_it_began() {
    let daemon = daemon().await;
    let bob = daemon.ask(&["refresh", "bob"]);
    assert_eq!((&bob["phase"], &bob["gen"]), (&json!("up"), &json!(2)));
    daemon.coalmine(&["refresh", "agent-bob"]).tells(&["agent-bob"]);
    assert_eq!(daemon.ask(&["show", "bob"])[0]["gen"], 3);
    assert_eq!(daemon.ask(&["deaths"]), json!([]));
}
