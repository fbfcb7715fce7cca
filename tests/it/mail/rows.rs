//! What each state of a recipient does to a message, and what its sender hears of it: words, state and exit code.
//!
//! | recipient | test |
//! |---|---|
//! | up and idle | `deliver::a_message_lands_whole_in_an_idle_peer`, `faces::a_message_is_sent_shown_and_listed` |
//! | works | `deliver::a_peer_that_works_is_left_alone_until_it_is_done`, `faces::the_exit_code_says_whether_it_landed` |
//! | shows a dialog | `deliver::a_dialog_is_never_answered_by_a_message` |
//! | holds a draft, a person types | `deliver::what_a_person_is_writing_…`, `deliver::nothing_is_typed_beside_a_person_…` |
//! | asleep | [`a_sleeper_is_woken_and_the_sender_hears_it`], `wake::a_sleeper_is_woken_once_…` |
//! | ephemeral, and its life has a task | `ephemeral::each_message_gets_a_life_of_its_own_…` |
//! | starting | [`what_still_starts_is_waited_for`] |
//! | needs-attention | [`what_needs_a_person_is_waited_for_and_nothing_is_pressed`] |
//! | backoff | [`what_waits_for_its_next_life_is_waited_for`] |
//! | unreachable | [`a_server_that_does_not_answer_is_waited_for`] |
//! | blocked: somebody holds its lock | [`what_is_blocked_by_a_stranger_is_waited_for_until_it_is_started`] |
//! | blocked: its state is damaged | [`what_is_blocked_by_its_state_is_waited_for`] |
//! | stopping, to be stopped | [`what_is_being_stopped_holds_its_mail_until_it_refuses_it`] |
//! | stopping, to begin anew | [`what_is_being_restarted_gets_its_mail_in_the_next_life`] |
//! | stopped, quarantined, without a composer | [`what_takes_no_mail_refuses_it_with_the_verb_that_helps`] |
//! | a namesake of one that was stopped | [`a_namesake_of_one_that_was_stopped_is_woken_as_anybody`] |
//! | unknown | `faces::what_can_not_be_sent_is_refused_by_name_and_leaves_nothing` |
//! | cancelled, expired or removed meanwhile | [`who_waits_for_what_never_lands_hears_that_it_failed`] |

use super::{
    bodies,
    crash::{home_of, peer, root},
    home, read, works,
};
use crate::support::{Daemon, Root, Said, continue_process, eventually, kill, stop_process};
use coalmine::io::lock;
use rustix::process::Signal;
use serde_json::Value;
use std::{
    fs::DirBuilder,
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
    process::{Child, Stdio},
};

/// A fleet that waits long before a second restart, and quarantines after a third death.
async fn daemon() -> Daemon {
    let root = root();
    let config = root.home().join(".config/coalmine/config.toml");
    let restart = "\n[restart]\ndelay_first = \"160h\"\ndelay_max = \"160h\"\ndeaths_max = 2\n";
    let text = std::fs::read_to_string(&config).unwrap() + restart;
    Daemon::on(Root::with(&[("home/.config/coalmine/config.toml", &text)])).await
}

/// A peer that runs the scripted program, asleep.
fn asleep(daemon: &Daemon, name: &str) {
    daemon.ask(&["create", name, "--runtime", "agent", "--env", &home_of(daemon, name)]);
}

fn set(daemon: &Daemon, file: &str) -> PathBuf {
    let path = home(daemon.folder(), "bob").join(file);
    std::fs::write(&path, "").unwrap();
    path
}

fn server(daemon: &Daemon) -> i32 {
    daemon.peer("bob")["server_pid"].as_i64().unwrap().try_into().unwrap()
}

/// Sends what can not land now: accepted with 0, it waits because of `why`, and who waits with it ends with 5.
async fn waits(daemon: &Daemon, body: &str, why: &str) -> String {
    let send = ["send", "bob", "--message", body, "--key", body];
    let sent = daemon.ask(&send);
    let id = sent["id"].as_str().unwrap().to_owned();
    assert_eq!(sent["state"], "queued", "{sent}");
    until_it_waits(daemon, &id, why).await;
    let waited = daemon.coalmine(&[&send[..], &["--wait", "submitted", "--timeout", "100ms"]].concat());
    assert_eq!(waited.code, 5, "{waited:?}");
    assert!(waited.out.starts_with(&format!("queued: {id} to agent-bob; ")), "{waited:?}");
    assert!(waited.out.contains(why) && waited.out.contains(&format!("`coalmine mail show {id}`")), "{waited:?}");
    id
}

async fn until_it_waits(daemon: &Daemon, id: &str, why: &str) {
    eventually(&format!("it waits because {why}"), || async {
        let now = daemon.ask(&["mail", "show", id]);
        assert_eq!(now["state"], "queued", "{now}");
        now["waits_because"].as_str().is_some_and(|because| because.contains(why)).then_some(())
    })
    .await;
}

/// Waits until the message is in this state, and gives it.
async fn becomes(daemon: &Daemon, id: &str, state: &str) -> Value {
    eventually(&format!("{id} is {state}"), || async {
        let now = daemon.ask(&["mail", "show", id]);
        (now["state"] == state).then_some(now)
    })
    .await
}

/// The message landed in this life, whole and once, and nothing else was done to the program.
async fn lands(daemon: &Daemon, id: &str, life: u64) -> Value {
    let landed = becomes(daemon, id, "submitted").await;
    assert_eq!(landed["gen"], life, "{landed}");
    let home = home(daemon.folder(), "bob");
    let read = read(&home);
    assert_eq!(bodies(&read), [landed["body"].as_str().unwrap()]);
    assert!(!home.join("events").exists(), "{:?}", std::fs::read_to_string(home.join("events")));
    landed
}

/// Calls the command line and goes on meanwhile.
fn begin(daemon: &Daemon, args: &[&str]) -> Child {
    daemon.command(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn over(child: Child) -> Said {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sleeper_is_woken_and_the_sender_hears_it() {
    let daemon = daemon().await;
    asleep(&daemon, "bob");
    let said = daemon.coalmine(&["send", "bob", "--message", "wake up", "--wait", "submitted"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.starts_with("submitted: ") && said.out.contains(", which was woken for it"), "{said:?}");
    assert_eq!(bodies(&read(&home(daemon.folder(), "bob"))), ["wake up"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_namesake_of_one_that_was_stopped_is_woken_as_anybody() {
    let daemon = daemon().await;
    peer(&daemon, "bob");
    daemon.ask(&["stop", "bob"]);
    daemon.ask(&["remove", "bob"]);
    asleep(&daemon, "bob");
    let said = daemon.coalmine(&["send", "bob", "--message", "nobody stopped you", "--wait", "submitted"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(bodies(&read(&home(daemon.folder(), "bob"))), ["nobody stopped you"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_still_starts_is_waited_for() {
    let daemon = daemon().await;
    asleep(&daemon, "bob");
    let boot = set(&daemon, "boot");
    let id = waits(&daemon, "when you are ready", "it is starting").await;
    std::fs::remove_file(boot).unwrap();
    assert_eq!(lands(&daemon, &id, 1).await["woke"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_a_person_is_waited_for_and_nothing_is_pressed() {
    let daemon = daemon().await;
    asleep(&daemon, "bob");
    let dialog = set(&daemon, "dialog");
    let id = waits(&daemon, "no answer to that", "it is needs-attention: proceed").await;
    std::fs::remove_file(dialog).unwrap();
    lands(&daemon, &id, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_its_next_life_is_waited_for() {
    let daemon = daemon().await;
    peer(&daemon, "bob");
    kill(server(&daemon));
    daemon.until("bob", "is in its second life", |bob| bob["gen"] == 2 && bob["phase"] == "up").await;
    kill(server(&daemon));
    daemon.until("bob", "waits", |bob| bob["phase"] == "backoff" && bob["next_try"].is_string()).await;
    let id = waits(&daemon, "for the third", "it is backoff: its server was killed by signal 9").await;
    daemon.ask(&["start", "bob"]);
    let landed = lands(&daemon, &id, 3).await;
    assert_eq!((&landed["redelivered"], &landed["woke"]), (&Value::Bool(false), &Value::Bool(false)), "{landed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_answer_is_waited_for() {
    let daemon = daemon().await;
    peer(&daemon, "bob");
    let silent = server(&daemon);
    stop_process(silent);
    let id = waits(&daemon, "are you there?", "its terminal does not answer").await;
    // The next daemon knows from the beginning that the server is unreachable.
    daemon.signal(Signal::KILL);
    let (_, root) = daemon.ended().await;
    let daemon = Daemon::on(root).await;
    daemon.until("bob", "is unreachable", |bob| bob["unreachable"] == true).await;
    until_it_waits(&daemon, &id, "its server does not answer").await;
    continue_process(silent);
    lands(&daemon, &id, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_blocked_by_a_stranger_is_waited_for_until_it_is_started() {
    let daemon = daemon().await;
    asleep(&daemon, "bob");
    let folder = daemon.paths().peer(&"agent-bob".parse().unwrap());
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).unwrap();
    let held = lock::try_lock(&folder.join("server.lock")).unwrap();
    let why = format!("it is blocked: the lock of agent-bob is held by pid {}", std::process::id());
    let id = waits(&daemon, "not your fault", &why).await;
    // One that comes when it is blocked already hears the same.
    let next = daemon.ask(&["send", "bob", "--message", "too", "--expires", "1h"]);
    assert_eq!(next["state"], "queued", "{next}");
    daemon.ask(&["mail", "cancel", next["id"].as_str().unwrap()]);
    drop(held);
    daemon.ask(&["start", "bob"]);
    let landed = lands(&daemon, &id, daemon.peer("bob")["gen"].as_u64().unwrap()).await;
    assert_eq!(landed["woke"], false, "a person started it: {landed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_blocked_by_its_state_is_waited_for() {
    let first = daemon().await;
    peer(&first, "bob");
    first.ask(&["stop", "bob"]);
    first.signal(Signal::TERM);
    let (_, root) = first.ended().await;
    let file = root.paths().peer(&"agent-bob".parse().unwrap()).join("state.json");
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, "{\"version\":1,").unwrap();
    let daemon = Daemon::on(root).await;
    let id = waits(&daemon, "whatever you were", "state.json is damaged").await;
    assert_eq!(daemon.peer("bob")["phase"], "blocked");
    // What it was is known again: it was stopped, and says so.
    std::fs::write(&file, good).unwrap();
    let refused = becomes(&daemon, &id, "refused").await;
    assert_eq!(refused["reason"]["code"], "stopped", "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_being_stopped_holds_its_mail_until_it_refuses_it() {
    let daemon = daemon().await;
    peer(&daemon, "bob");
    stop_process(server(&daemon));
    let stop = begin(&daemon, &["stop", "bob"]);
    daemon.until("bob", "is being stopped", |bob| bob["phase"] == "stopping").await;
    let waiting = begin(&daemon, &["send", "bob", "--message", "wait for me", "--wait", "submitted"]);
    let refused = over(waiting);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(refused.out.contains("(stopped)") && refused.out.contains("`coalmine start agent-bob`"), "{refused:?}");
    let stopped = over(stop);
    assert_eq!(stopped.code, 0, "{stopped:?}");
    assert_eq!(read(&home(daemon.folder(), "bob")), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_being_restarted_gets_its_mail_in_the_next_life() {
    let daemon = daemon().await;
    peer(&daemon, "bob");
    stop_process(server(&daemon));
    let restart = begin(&daemon, &["restart", "bob"]);
    daemon.until("bob", "is being stopped", |bob| bob["phase"] == "stopping").await;
    let sent = daemon.ask(&["send", "bob", "--message", "for your next life"]);
    assert_eq!(sent["state"], "queued", "{sent}");
    until_it_waits(&daemon, sent["id"].as_str().unwrap(), "it is stopping").await;
    assert_eq!(over(restart).code, 0);
    let landed = lands(&daemon, sent["id"].as_str().unwrap(), 2).await;
    assert_eq!(landed["redelivered"], false, "{landed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_no_mail_refuses_it_with_the_verb_that_helps() {
    let daemon = daemon().await;
    peer(&daemon, "bob");
    peer(&daemon, "ann");
    daemon.sleeper("sh");
    daemon.ask(&["stop", "ann"]);
    for life in 1..=3 {
        daemon.until("bob", "is up", |bob| bob["gen"] == life && bob["phase"] == "up").await;
        kill(server(&daemon));
        daemon.until("bob", "is dead", |bob| bob["phase"] != "up").await;
        if life == 2 {
            daemon.ask(&["start", "bob"]);
        }
    }
    daemon.until("bob", "is quarantined", |bob| bob["phase"] == "quarantined").await;
    for (name, code, verb) in [
        ("ann", "stopped", "`coalmine start agent-ann`"),
        ("bob", "quarantined", "`coalmine reset agent-bob`"),
        ("sh", "no-composer", "[runtime.shell.composer]"),
    ] {
        // Also for who would have waited.
        for wait in [&[][..], &["--wait", "submitted"]] {
            let refused = daemon.coalmine(&[&["send", name, "--message", "hello?"], wait].concat());
            assert_eq!(refused.code, 4, "{refused:?}");
            assert!(refused.out.starts_with("refused: ") && refused.out.contains(&format!("({code})")), "{refused:?}");
            assert!(refused.out.contains(verb), "{refused:?}");
        }
    }
    // What was refused is over: no later life gets it.
    daemon.ask(&["reset", "bob"]);
    daemon.ask(&["start", "bob"]);
    let said = daemon.coalmine(&["send", "bob", "--message", "now", "--wait", "submitted"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(bodies(&read(&home(daemon.folder(), "bob"))), ["now"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_what_never_lands_hears_that_it_failed() {
    let daemon = daemon().await;
    peer(&daemon, "bob");
    works(&daemon, "bob").await;
    let wait = ["--wait", "submitted"];
    let expired = daemon.coalmine(&[&["send", "bob", "--message", "too late", "--expires", "2s"], &wait[..]].concat());
    assert_eq!(expired.code, 1, "{expired:?}");
    assert!(expired.out.starts_with("expired: "), "{expired:?}");
    for (body, end, code) in [("cancelled", "cancel", "(cancelled)"), ("removed", "remove", "(")] {
        let waiting = begin(&daemon, &[&["send", "bob", "--message", body], &wait[..]].concat());
        let queued = || async {
            let page = daemon.ask(&["mail", "list", "bob", "--state", "queued"]);
            page["messages"][0]["id"].as_str().map(ToOwned::to_owned)
        };
        let id = eventually("it is queued", queued).await;
        match end {
            "cancel" => drop(daemon.ask(&["mail", "cancel", &id])),
            _ => drop(daemon.ask(&["remove", "bob", "--force"])),
        }
        let over = over(waiting);
        // A peer is stopped on its way out: whichever is told first, the message is over.
        let wanted = if over.out.starts_with("refused: ") && end == "remove" { 4 } else { 1 };
        assert_eq!(over.code, wanted, "{over:?}");
        assert!(over.out.contains(code), "{over:?}");
    }
    assert_eq!(read(&home(daemon.folder(), "bob")), []);
}
