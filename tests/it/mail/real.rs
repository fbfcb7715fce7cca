//! Claude Code and Codex themselves, from npm, as peers: what their first screens are taken for, and mail in their composers.
//!
//! `cargo test --test it mail::real -- --ignored` fetches them, some 600 MB; `COALMINE_TEST_AGENTS` names a folder to
//! keep them in. Nobody is signed in and nothing leaves the machine: where a model is asked, a server of the test answers.

use crate::support::{Daemon, Root, eventually, skip};
use axum::{Router, body::Bytes, extract::DefaultBodyLimit};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
};

const PACKAGES: [&str; 2] = ["@anthropic-ai/claude-code", "@openai/codex"];
/// No secret: what Claude Code asks its person to confirm once.
const KEY: &str = "sk-ant-0123456789abc";

/// The folder with both programs; nothing where they can not be had.
fn programs(root: &Root) -> Option<PathBuf> {
    let folder = std::env::var_os("COALMINE_TEST_AGENTS").map_or_else(|| root.folder().join("npm"), PathBuf::from);
    let bin = folder.join("node_modules/.bin");
    if ["claude", "codex"].iter().all(|name| bin.join(name).exists()) {
        return Some(bin);
    }
    let npm = Command::new("npm").arg("install").arg("--prefix").arg(&folder).args(PACKAGES).output();
    if !npm.is_ok_and(|output| output.status.success()) {
        skip("what the real programs' screens are taken for", "npm is missing, or can not fetch them");
        return None;
    }
    // Newer versions of npm leave to us what a package wants to run when it is installed.
    let own = folder.join("node_modules").join(PACKAGES[0]);
    let linked = Command::new("node").arg("install.cjs").current_dir(own).status().unwrap();
    assert!(linked.success(), "Claude Code could not be installed");
    Some(bin)
}

/// A daemon that finds both programs, with these files in their home.
async fn daemon(files: &[(&str, &str)]) -> Option<Daemon> {
    let root = Root::with(files);
    // With the command line that their hooks call.
    let ours = Path::new(env!("CARGO_BIN_EXE_coalmine")).parent().unwrap();
    let path = format!("{}:{}:{}", programs(&root)?.display(), ours.display(), std::env::var("PATH").unwrap());
    // What they leave in the folder for temporary files goes with the root.
    let temporary = root.folder().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    Some(Daemon::on(root.env_also("PATH", path).env_also("TMPDIR", temporary)).await)
}

fn create(daemon: &Daemon, name: &str, runtime: &str, env: &[String]) -> Value {
    // It would install its successor for the whole machine.
    let quiet = "DISABLE_AUTOUPDATER=1".to_owned();
    let env = env.iter().chain([&quiet]).flat_map(|pair| ["--env", pair]);
    let args: Vec<_> = ["create", name, "--runtime", runtime, "--start"].into_iter().chain(env).collect();
    daemon.ask(&args)["peer"].take()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "fetches Claude Code and Codex from npm"]
async fn first_screens_without_an_account_are_dialogs_and_nothing_is_typed_into_them() {
    let Some(daemon) = daemon(&[("home/.claude.json", r#"{"hasCompletedOnboarding":true}"#)]).await else { return };
    for (name, runtime, dialog, choice) in
        [("ann", "claude", "trust", "❯ 1. Yes, I trust this folder"), ("bo", "codex", "sign-in", "> 1. Sign in")]
    {
        let peer = create(&daemon, name, runtime, &[]);
        assert_eq!((&peer["phase"], &peer["detail"]), (&json!("needs-attention"), &json!(dialog)), "{peer}");
        let sent = daemon.ask(&["send", name, "--message", "hello"]);
        let id = sent["id"].as_str().unwrap();
        eventually("it waits for a person", || async {
            let now = daemon.ask(&["mail", "show", id]);
            assert_eq!(now["state"], "queued", "{now}");
            now["waits_because"].as_str().is_some_and(|why| why.contains(dialog)).then_some(())
        })
        .await;
        let screen = daemon.coalmine(&["capture", name]);
        assert!(screen.out.contains(choice) && !screen.out.contains("hello"), "{screen:?}");
    }
}

/// Without a network Claude Code ends by itself here; with one it asks how it should look.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "fetches Claude Code and Codex from npm"]
async fn the_very_first_start_of_claude_is_never_taken_for_ready() {
    let Some(daemon) = daemon(&[]).await else { return };
    daemon.coalmine(&["create", "ann", "--runtime", "claude", "--env", "DISABLE_AUTOUPDATER=1", "--start"]);
    let peer = daemon.until("ann", "shows what it is", |peer| peer["phase"] != "starting").await;
    let dialog = peer["phase"] == "needs-attention" && peer["detail"] == "setup";
    let ended = peer["phase"] == "backoff" && peer["restarts"].as_u64().is_some_and(|restarts| restarts > 0);
    assert!(dialog || ended, "{peer}");
}

/// Everything that models were asked.
#[derive(Clone, Default)]
struct Asked(Arc<Mutex<Vec<String>>>);

impl Asked {
    /// A server that answers everything with nothing, and its address.
    async fn serve(&self) -> String {
        let asked = self.clone();
        let answer = move |body: Bytes| async move {
            asked.0.lock().unwrap().push(String::from_utf8_lossy(&body).into_owned());
            "{}"
        };
        let router = Router::new().fallback(answer).layer(DefaultBodyLimit::disable());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    fn holds(&self, text: &str) -> bool {
        let quoted = Value::from(text).to_string();
        self.0.lock().unwrap().iter().any(|body| body.contains(quoted.trim_matches('"')))
    }
}

fn trusting(folder: &Path, model: &str) -> [(String, String); 2] {
    let folder = folder.display().to_string();
    let claude = json!({
        "hasCompletedOnboarding": true,
        "customApiKeyResponses": { "approved": [KEY], "rejected": [] },
        "projects": { &folder: { "hasTrustDialogAccepted": true } },
    });
    let codex = format!(
        "model = \"stub\"\nmodel_provider = \"stub\"\n[model_providers.stub]\nname = \"stub\"\n\
         base_url = \"{model}/v1\"\nwire_api = \"responses\"\n[projects.{folder:?}]\ntrust_level = \"trusted\"\n"
    );
    [("home/.claude.json".into(), claude.to_string()), ("home/.codex/config.toml".into(), codex)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "fetches Claude Code and Codex from npm"]
async fn mail_lands_whole_in_the_real_composers() {
    let asked = Asked::default();
    let model = asked.serve().await;
    let Some(daemon) = daemon(&[]).await else { return };
    for (name, text) in trusting(daemon.folder(), &model) {
        daemon.put(&name, &text);
    }
    let env = [format!("ANTHROPIC_API_KEY={KEY}"), format!("ANTHROPIC_BASE_URL={model}")];
    let report: Vec<String> = (0..200).map(|line| format!("line {line} of a \"long\" report")).collect();
    daemon.put("report", &report.join("\n"));
    for (name, runtime) in [("ann", "claude"), ("bo", "codex")] {
        let peer = create(&daemon, name, runtime, if runtime == "claude" { &env } else { &[] });
        assert_eq!(peer["phase"], "up", "{peer}");
        for words in
            [&["--message", "the build is red"][..], &["--message-file", "report"], &["--message", "and\tagain"]]
        {
            let sent = daemon.ask(&[&["send", name, "--wait", "submitted", "--timeout", "60s"], words].concat());
            assert!(sent["state"] == "submitted" || sent["state"] == "seen", "{sent}");
            let id = sent["id"].as_str().unwrap();
            let seen = || async { (daemon.ask(&["mail", "show", id])["state"] == "seen").then_some(()) };
            eventually(&format!("{runtime}'s hook, or its transcript, said that it was read"), seen).await;
        }
        // As it was typed, quoted as its envelope quotes.
        for words in ["the build is red", &report.join("\n").replace('"', "&quot;")] {
            eventually("the model was asked", || async { asked.holds(words).then_some(()) }).await;
        }
        asked.0.lock().unwrap().clear();
    }
}
