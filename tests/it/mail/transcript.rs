//! What a program writes down of what it was told says that a message was read; nothing else in there does.

use super::{
    LANDS_IN, Post, agent,
    crash::{peer, root_with},
    home,
};
use crate::support::{Daemon, eventually};
use coalmine_actors::{
    mail::{MailView, State, Transcript},
    runtime::RuntimeDef,
    view::PhaseName,
};
use rustix::{
    fs::{Mode, mkfifoat},
    process::Signal,
};
use serde_json::Value;
use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// The scripted program, whose transcripts are known.
fn runtime() -> RuntimeDef {
    let transcript = Transcript {
        folders: vec![format!("${}/sessions", agent::HOME)],
        files: "log-*.jsonl".into(),
        entry: vec![r#""role":"user""#.into()],
    };
    RuntimeDef { transcript: Some(transcript), ..agent::runtime() }
}

/// Adds to a transcript, and makes it where it is missing.
fn append(home: &Path, text: &str) {
    std::fs::create_dir_all(home.join("sessions/2026")).unwrap();
    let file = home.join("sessions/2026/log-1.jsonl");
    OpenOptions::new().create(true).append(true).open(file).unwrap().write_all(text.as_bytes()).unwrap();
}

/// What its user's line holds.
fn block(id: &str) -> String {
    format!("<coalmine-message id=\"{id}\" from=\"operator\" kind=\"natural\">\nx\n</coalmine-message>")
}

impl Post {
    async fn with_transcripts() -> Self {
        Self::of(runtime(), |builder| builder).await
    }

    async fn seen(&self, sent: &MailView) -> MailView {
        let view = self.rig.fleet.mail().follow(sent.message.id, true, LANDS_IN).await.unwrap();
        assert_eq!(view.progress.state, State::Seen, "{view:#?}");
        view
    }

    async fn state(&self, sent: &MailView) -> State {
        self.rig.fleet.mail().get(sent.message.id).await.unwrap().progress.state
    }

    /// A message that lands, and of which the program writes down so much.
    async fn submitted(&self, role: &str, body: &str) -> MailView {
        self.set("bob", "transcript", role);
        let sent = self.send("bob", body).await;
        self.landed(&sent).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_seen_once_they_stand_in_their_recipients_transcript() {
    let post = Post::with_transcripts().await;
    post.up("bob").await;
    post.set("bob", "transcript", "user");
    let (one, two) = (post.send("bob", "one").await, post.send("bob", "two \"quoted\" \\ é").await);
    let (one, two) = (post.seen(&one).await.progress, post.seen(&two).await.progress);
    assert!(
        one.submitted_at.unwrap() <= one.seen_at.unwrap() && one.submitted_at.unwrap() <= two.submitted_at.unwrap()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_speaks_of_a_message_has_not_read_it() {
    let post = Post::with_transcripts().await;
    post.up("bob").await;
    let quoted = post.submitted("assistant", "quoted").await;
    // Lines are read in order: who has seen the second one has passed the first.
    post.set("bob", "transcript", "user");
    let entered = post.send("bob", "entered").await;
    post.seen(&entered).await;
    assert_eq!(post.state(&quoted).await, State::Submitted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_line_counts_once_it_is_whole() {
    let post = Post::with_transcripts().await;
    post.up("bob").await;
    let sent = post.submitted("half", "half").await;
    let written = post.home("bob").join("sessions/2026/log-1.jsonl");
    eventually("half of it is written", || async { written.exists().then_some(()) }).await;
    let read = agent::read(&post.home("bob"));
    let line = agent::entry("user", read[0]["text"].as_str().unwrap());
    append(&post.home("bob"), &format!("{}\n", &line[line.len() / 2..]));
    post.seen(&sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_of_a_life_that_is_over_stays_submitted() {
    let post = Post::with_transcripts().await;
    post.up("bob").await;
    let sent = post.send("bob", "never written down").await;
    post.landed(&sent).await;
    post.rig.fleet.stop("bob", LANDS_IN).await.unwrap();
    post.rig.until("bob", "stopped", |view| view.phase == PhaseName::Stopped).await;
    post.rig.fleet.start("bob", LANDS_IN).await.unwrap();
    post.rig.until_up("bob", 2).await;
    append(&post.home("bob"), &format!("{}\n", agent::entry("user", &block(&sent.message.id.to_string()))));
    post.set("bob", "transcript", "user");
    let next = post.send("bob", "written down").await;
    post.seen(&next).await;
    assert_eq!(post.state(&sent).await, State::Submitted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_else_lies_in_the_folder_is_neither_waited_for_nor_believed() {
    let post = Post::with_transcripts().await;
    post.up("bob").await;
    let sessions = post.home("bob").join("sessions");
    let sent = post.send("bob", "while there is no folder").await;
    post.landed(&sent).await;
    std::fs::create_dir(&sessions).unwrap();
    let folder = File::open(&sessions).unwrap();
    mkfifoat(&folder, "log-fifo.jsonl", Mode::RUSR | Mode::WUSR).unwrap();
    File::create(sessions.join("log-sparse.jsonl")).unwrap().set_len(1 << 30).unwrap();
    let outside = post.home("bob").join("outside.jsonl");
    std::fs::write(&outside, format!("{}\n", agent::entry("user", &block(&sent.message.id.to_string())))).unwrap();
    symlink(&outside, sessions.join("log-outside.jsonl")).unwrap();
    post.set("bob", "transcript", "user");
    let next = post.send("bob", "in a file").await;
    post.seen(&next).await;
    assert_eq!(post.state(&sent).await, State::Submitted, "what a link leads to does not count");
    append(&post.home("bob"), &format!("{}\n", agent::entry("user", &block(&sent.message.id.to_string()))));
    post.seen(&sent).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_comes_after_a_crash_goes_on_awaiting() {
    let daemon = Daemon::on(root_with(runtime())).await;
    peer(&daemon, "bob");
    let send = || daemon.ask(&["send", "bob", "--message", "x", "--wait", "submitted"])["id"].take();
    let of_the_first_life = send();
    daemon.ask(&["refresh", "bob"]);
    let sent = send();
    daemon.signal(Signal::KILL);
    let (_, root) = daemon.ended().await;
    let daemon = Daemon::on(root).await;
    let bob: PathBuf = home(daemon.folder(), "bob");
    let state = |id: &Value| daemon.ask(&["mail", "show", id.as_str().unwrap()])["state"].take();
    for id in [&of_the_first_life, &sent] {
        append(&bob, &format!("{}\n", agent::entry("user", &block(id.as_str().unwrap()))));
    }
    eventually("it is seen", || async { (state(&sent) == "seen").then_some(()) }).await;
    assert_eq!(state(&of_the_first_life), "submitted", "that life was over");
    assert_eq!(daemon.ask(&["show", "bob"])[0]["gen"], 2);
}
