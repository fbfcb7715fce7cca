//! Plugins of the runtimes' own (v1.1), and the settings that come first: by the built-in definitions.

use super::{declare, program};
use crate::support::{Daemon, Root};
use serde_json::json;

/// A daemon in whose PATH are a `claude` and a `codex` that keep a journal.
async fn house() -> Daemon {
    let root = Root::new();
    let bin = root.folder().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let journal = root.folder().join("runtime.journal").display().to_string();
    for name in ["claude", "codex"] {
        let text = format!(
            "#!/bin/sh\necho \"{name} $*\" >>{journal}\ntest ! -e {journal}.fail || {{ echo oh >&2; exit 1; }}\n"
        );
        program(&bin.join(name), &text);
    }
    let root = root.env_also("PATH", path);
    declare(&root, json!({ "plugin": { "name": "pl", "marketplace": "mk", "marketplaceRef": "owner/repo" } }));
    Daemon::on(root).await
}

fn calls(daemon: &Daemon) -> Vec<String> {
    let calls = daemon.read("runtime.journal").lines().map(ToOwned::to_owned).collect();
    let _none_yet = std::fs::remove_file(daemon.folder().join("runtime.journal"));
    calls
}

#[tokio::test]
async fn claude_gets_the_plugin_in_its_project_and_codex_once_for_the_host() {
    let daemon = house().await;
    daemon.ask(&["create", "ann", "--runtime", "claude"]);
    let claude = ["claude plugin marketplace add owner/repo", "claude plugin install pl@mk --scope project"];
    assert_eq!(calls(&daemon), claude);
    let bob = daemon.ask(&["create", "bob", "--runtime", "codex"]);
    assert_eq!(bob["provision"][0]["state"], "ok");
    assert_eq!(calls(&daemon), ["codex plugin marketplace add owner/repo", "codex plugin add pl@mk"]);
    let cid = daemon.ask(&["create", "cid", "--runtime", "codex"]);
    assert_eq!(cid["provision"][0]["state"], "already");
    daemon.coalmine(&["remove", "bob"]).tells(&["memory unprovision: codex:already"]);
    assert_eq!(calls(&daemon), [""; 0]);
    daemon.coalmine(&["memory-plugin", "off", "--all"]).tells(&["cid  codex:ok", "ann  claude:ok"]);
    let mut off = calls(&daemon);
    off.sort();
    assert_eq!(off, ["claude plugin uninstall pl@mk --scope project", "codex plugin remove pl@mk"]);
}

#[tokio::test]
async fn a_runtime_that_is_missing_or_fails_is_told() {
    let daemon = house().await;
    daemon.put("runtime.journal.fail", "");
    let ann = daemon.ask(&["create", "ann", "--runtime", "claude"]);
    let run = &ann["provision"][0];
    assert_eq!((&run["state"], &run["detail"]), (&json!("setup-failed"), &json!("oh")));
    assert_eq!(calls(&daemon), ["claude plugin marketplace add owner/repo"]);
    std::fs::remove_file(daemon.folder().join("bin/claude")).unwrap();
    let said = daemon.coalmine(&["memory-plugin", "on", "--peer", "ann"]);
    // A host that has a claude of its own would be asked in its place.
    if said.code == 0 {
        return crate::support::skip("a runtime that is missing is told", "claude is in this host's PATH");
    }
    assert!(said.out.contains("claude:runtime-missing (the runtime's program claude is not in PATH)"), "{said:?}");
}

#[tokio::test]
async fn the_runtimes_own_memories_are_off_and_the_folder_trusted_before_a_provider_comes() {
    let daemon = house().await;
    daemon.put("home/.codex/config.toml", "# mine\nmodel = \"x\"\n");
    daemon.put(".claude/settings.json", "{\"theme\": \"dark\"}");
    daemon.ask(&["create", "ann", "--runtime", "claude"]);
    daemon.ask(&["create", "bob", "--runtime", "codex"]);
    let folder = daemon.folder().display();
    let read = |name: &str| std::fs::read_to_string(daemon.folder().join(name)).unwrap();
    assert_eq!(read(".claude/settings.json"), "{\n  \"theme\": \"dark\",\n  \"autoMemoryEnabled\": false\n}\n");
    let trusted = format!("# mine\nmodel = \"x\"\n\n[projects.\"{folder}\"]\ntrust_level = \"trusted\"\n");
    assert_eq!(read("home/.codex/config.toml"), trusted);
    assert_eq!(read(".codex/config.toml"), "[features]\nmemories = false\n");
    // An empty slot touches nothing.
    std::fs::remove_file(daemon.path().join("memory-provider.json")).unwrap();
    std::fs::remove_file(daemon.folder().join(".claude/settings.json")).unwrap();
    daemon.ask(&["create", "cid", "--runtime", "claude"]);
    assert!(!daemon.folder().join(".claude/settings.json").exists());
}
