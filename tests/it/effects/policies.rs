//! Policies as files: checked, explained, refused, and followed when they change.

use super::{WORKER, daemon, data, ok, policy, root};
use crate::support::{Daemon, Refusal, eventually};
use serde_json::json;
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

#[test]
fn check_tells_what_is_wrong_and_what_is_wide_open() {
    let root = root();
    let good = policy(&root, "good", WORKER);
    let said = root.coalmine(&["policy", "check", good.to_str().unwrap()]);
    said.tells(&["good can be used, with 1 warning"]);
    assert!(said.err.contains("scope.env is \"any\""), "{said:?}");
    let checked = root.ask(&["policy", "check", good.to_str().unwrap()]);
    assert_eq!((checked["warnings"].as_array().unwrap().len(), checked["digest"].as_str().unwrap().len()), (1, 64));
    for (text, message) in [
        ("[alow]", "line 1: unknown key \"alow\"; did you mean \"allow\"?"),
        ("[allow]\neffects = [\"fs.reed\"]", "did you mean \"fs.read\"?"),
        ("[scope]\nfs_read = [\"data\"]", "scope.fs_read[0] \"data\": it is not an absolute path"),
    ] {
        let bad = policy(&root, "bad", text);
        let said = root.coalmine(&["policy", "check", bad.to_str().unwrap()]);
        assert_eq!((said.code, said.err.contains(message)), (78, true), "{said:?}");
    }
}

#[test]
fn a_policy_that_others_could_change_or_that_it_reaches_itself_is_refused() {
    let root = root();
    let path = policy(&root, "p", WORKER);
    let check = |path: &std::path::Path| root.coalmine(&["policy", "check", path.to_str().unwrap()]);
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        let said = check(&path);
        assert_eq!((said.code, said.err.contains("others may write it")), (78, true), "{said:?}");
    }
    fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(check(&path).code, 0);
    for (below, told) in [("in/p.toml", "lets be read"), ("out/p.toml", "lets be changed")] {
        let inside = root.folder().join("data").join(below);
        fs::copy(&path, &inside).unwrap();
        let said = check(&inside);
        assert_eq!((said.code, said.err.contains(told)), (78, true), "{said:?}");
    }
    let link = root.folder().join("link.toml");
    symlink(&path, &link).unwrap();
    assert_ne!(check(&link).code, 0);
    assert_ne!(check(&root.folder().join("none.toml")).code, 0);
    assert_ne!(check(root.folder()).code, 0);
}

/// Keys of models never reach a peer: not as a file of a granted folder, and not by a link that somebody could change.
#[tokio::test]
async fn a_policy_that_reaches_the_key_of_a_model_is_refused_until_one_of_them_is_elsewhere() {
    let root = root();
    let config = |key: &str| {
        let text = format!(
            "[provider.house]\nkind = \"openai\"\nurl = \"http://10.0.0.5\"\nmodel = \"m\"\napi_key_file = {key:?}\n"
        );
        root.put("home/.config/coalmine/config.toml", &text);
    };
    let path = policy(&root, "worker", WORKER);
    let any = policy(&root, "any", "[allow]\neffects = [\"fs.read\"]\n[scope]\nfs_read = \"any\"");
    let check = |path: &std::path::Path| root.coalmine(&["policy", "check", path.to_str().unwrap()]);
    root.put("data/in/key", "sk-1");
    root.put("keys/key", "sk-1");
    root.put("state/key", "sk-1");
    symlink(root.folder().join("data/in/key"), root.folder().join("keys/to-inside")).unwrap();
    symlink(root.folder().join("keys/key"), root.folder().join("data/out/to-outside")).unwrap();
    let at = |below: &str| root.folder().join(below).to_str().unwrap().to_owned();
    for (key, held, open) in [
        ("data/in/key", false, false),
        ("keys/to-inside", false, false),
        ("data/out/to-outside", false, false),
        ("data/in/not-there-yet", false, false),
        ("keys/key", true, false),
        ("state/key", true, true),
    ] {
        config(&at(key));
        for (path, usable) in [(&path, held), (&any, open)] {
            let said = check(path);
            assert_eq!(said.code, if usable { 0 } else { 78 }, "{key}: {said:?}");
            let named = format!("provider.house.api_key_file ({})", at(key));
            assert!(usable || (said.err.contains(&named) && said.err.contains("move that key")), "{said:?}");
            assert!(!said.err.contains("sk-1"), "{said:?}");
        }
    }
    // A daemon goes by the same, and follows a configuration that changes.
    config(&at("keys/key"));
    let daemon = Daemon::on(root).await;
    daemon.coalmine(&["create", "bob", "--policy", "worker", "--", "sleep", "60"]).tells(&["created"]);
    let stat = json!({ "path": data(&daemon, "in/hello.txt") });
    ok(&daemon, "fs.stat", &stat);
    let file = "home/.config/coalmine/config.toml";
    let text = fs::read_to_string(daemon.folder().join(file)).unwrap();
    daemon.put(file, &text.replace("keys/key", "data/in/key"));
    daemon.signal(rustix::process::Signal::HUP);
    eventually("told", || async {
        daemon.ask(&["status"])["effects"]["problems"].to_string().contains("move that key").then_some(())
    })
    .await;
    let refusal =
        Refusal { code: "bad-policy", exit: 78, message: "provider.house.api_key_file", hint: "policy check" };
    daemon.refuses(&["create", "carol", "--policy", "worker", "--", "sleep", "60"], &refusal);
    daemon.put(file, &text);
    daemon.signal(rustix::process::Signal::HUP);
    eventually("forgotten", || async {
        let problems = daemon.ask(&["status"])["effects"]["problems"].to_string();
        (!problems.contains("move that key")).then_some(())
    })
    .await;
    daemon.coalmine(&["create", "carol", "--policy", "worker", "--", "sleep", "60"]).tells(&["created"]);
}

#[tokio::test]
async fn explain_takes_a_peer_for_its_policy_with_a_daemon_and_without_one() {
    let daemon = super::daemon(WORKER).await;
    daemon.coalmine(&["create", "carol", "--", "sleep", "60"]).tells(&["created"]);
    let look = |root: &crate::support::Root| {
        let explain = |peer: &str, words: &[&str]| {
            let said = root.coalmine(&[&["policy", "explain", "--peer", peer], words].concat());
            (said.code, said.out.trim().to_owned(), said.err)
        };
        assert_eq!(explain("bob", &["time.now"]).1, "allowed: allow clock (worker)");
        assert_eq!(
            explain("shell-bob", &["io.read", "{\"path\": \"/x\"}"]).1,
            "denied: outside scope.fs_read (worker)"
        );
        assert_eq!(explain("carol", &["time.now"]).1, "denied: no clock (none)");
        let (code, _, told) = explain("bobb", &["time.now"]);
        assert!(code == 3 && told.contains("bob"), "{told}");
        let (code, _, told) = explain("bob", &["worker", "time.now", "{}"]);
        assert!(code == 2 && told.contains("no POLICY to name"), "{told}");
    };
    look(&daemon);
    daemon.signal(rustix::process::Signal::TERM);
    let (_, root) = daemon.ended().await;
    look(&root);
    assert_eq!(root.coalmine(&["policy", "explain", "worker"]).code, 2);
}

#[test]
fn explain_says_which_rule_decides_and_calls_nothing() {
    let root = root();
    policy(&root, "worker", WORKER);
    let explain = |op: &str, args: serde_json::Value| {
        let said = root.coalmine(&["policy", "explain", "worker", op, &args.to_string()]);
        (said.code, said.out.trim().to_owned())
    };
    let path = data(&root, "in/none");
    assert_eq!(explain("io.read", json!({ "path": path })), (0, "allowed: scope.fs_read[0] (worker)".into()));
    assert_eq!(explain("io.read", json!({ "path": "/x" })), (4, "denied: outside scope.fs_read (worker)".into()));
    assert_eq!(explain("net.get", json!({ "url": "http://a" })), (4, "denied: no net.connect (worker)".into()));
    let args = json!({ "program": "echo", "args": ["bye"] });
    assert_eq!(explain("proc.spawn", args), (4, "denied: program.echo.args (worker)".into()));
    assert_eq!(explain("env.get", json!({ "name": "A_TOKEN" })), (4, "denied: never: secrets (worker)".into()));
    assert_eq!(root.coalmine(&["policy", "explain", "none", "budget.remaining"]).out.trim(), "allowed: pure (none)");
    assert_eq!(root.coalmine(&["policy", "explain", "worker", "fs.stta"]).code, 2);
    let said = root.coalmine(&["policy", "explain", "wroker", "time.now"]);
    assert!(said.code == 2 && said.err.contains("did you mean worker?"), "{said:?}");
    assert!(!root.path().join("effects").exists());
}

#[test]
fn a_digest_spells_out_what_is_open_and_changes_with_every_word() {
    let root = root();
    policy(&root, "worker", WORKER);
    root.coalmine(&["policy", "digest", "worker"]).tells(&["env", "ANY", "fs.read", "echo", "no ceiling"]);
    let digest = || root.ask(&["policy", "digest", "worker"])["sha256"].as_str().unwrap().to_owned();
    let first = digest();
    policy(&root, "worker", &format!("# a remark\n{WORKER}"));
    assert_eq!(digest(), first);
    policy(&root, "worker", &WORKER.replace("hello", "hullo"));
    assert_ne!(digest(), first);
}

#[tokio::test]
async fn a_policy_that_is_not_there_or_damaged_makes_no_peer() {
    let root = root();
    policy(&root, "worker", WORKER);
    policy(&root, "broken", "[alow]");
    let daemon = Daemon::on(root).await;
    let create = |name: &'static str| ["create", "bob", "--policy", name, "--", "sleep", "60"];
    daemon.refuses(
        &create("wroker"),
        &Refusal { code: "unknown-policy", exit: 2, message: "wroker is not defined", hint: "did you mean worker" },
    );
    daemon.refuses(
        &create("../worker"),
        &Refusal { code: "unknown-policy", exit: 2, message: "is not defined", hint: "did you mean worker" },
    );
    daemon.refuses(
        &create("broken"),
        &Refusal { code: "bad-policy", exit: 78, message: "unknown key \"alow\"", hint: "policy check" },
    );
}

#[tokio::test]
async fn a_policy_that_changes_is_followed_and_a_damaged_one_is_told() {
    let daemon = daemon(WORKER).await;
    ok(&daemon, "time.now", &json!({}));
    policy(&daemon, "worker", "[allow]\neffects = [\"random\"]");
    eventually("taken away", || async { (err_of(&daemon) == Some("denied".into())).then_some(()) }).await;
    ok(&daemon, "rand.int_in", &json!({ "lo": 1, "hi": 1 }));
    policy(&daemon, "worker", "[alow]");
    eventually("told", || async {
        let status = daemon.ask(&["status"]);
        status["effects"]["problems"].to_string().contains("unknown key").then_some(())
    })
    .await;
    ok(&daemon, "rand.int_in", &json!({ "lo": 1, "hi": 1 }));
    fs::remove_file(daemon.path().join("policies/worker.toml")).unwrap();
    eventually("gone", || async {
        let said = daemon.coalmine(&["effect", "call", "bob", "rand.int_in", "{\"lo\":1,\"hi\":1}"]);
        (said.code == 4).then_some(())
    })
    .await;
    // Another one, by its name.
    policy(&daemon, "other", WORKER);
    daemon.coalmine(&["create", "bob", "--policy", "other", "--", "sleep", "60"]).tells(&["changed policy"]);
    eventually("given", || async { err_of(&daemon).is_none().then_some(()) }).await;
    assert_eq!(daemon.peer("bob")["policy"], "other");
}

/// How asking for the time is refused now; nothing where it is told.
fn err_of(daemon: &Daemon) -> Option<String> {
    let said = daemon.coalmine(&["effect", "call", "bob", "time.now"]);
    said.json()["err"]["code"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn what_is_left_of_a_session_ends_with_its_peer() {
    let daemon = daemon(WORKER).await;
    let mut sleeping = daemon.command(&["effect", "call", "bob", "time.sleep_ms", "{\"ms\": 60000}"]);
    let sleeping = std::thread::spawn(move || crate::support::Said::of(&mut sleeping));
    eventually("asleep", || async {
        super::whole_lines(&daemon).iter().any(|line| line["op"] == "time.sleep_ms").then_some(())
    })
    .await;
    daemon.coalmine(&["remove", "bob"]).tells(&["removed"]);
    let said = sleeping.join().unwrap();
    assert_eq!((said.code, &said.json()["err"]["code"]), (75, &json!("cancelled")), "{said:?}");
    assert_eq!(daemon.coalmine(&["effect", "call", "bob", "time.now"]).code, 3);
}

#[test]
fn effects_ops_describes_every_operation() {
    let root = root();
    root.coalmine(&["effect", "ops"]).tells(&["fs.stat", "fs.read + fs.write", "cursor?"]);
    assert_eq!(root.ask(&["effect", "ops", "fs.stat"])["arguments"]["required"], json!(["path"]));
    assert_eq!(root.coalmine(&["effect", "ops", "fs.stta"]).code, 2);
}
