//! Readiness and attention as a person meets them: `ready`, dialogs, a boot that takes too long.

use crate::support::{Daemon, Root};
use serde_json::json;

const CONFIG: &str = r#"
[runtime.notifier]
kind = "program"
readiness = "notify"

[runtime.dialog]
kind = "program"
readiness = "notify"
attention = [{ what = "sign-in", screen = "(?m)^Sign in first" }]

[runtime.answered]
kind = "program"
readiness = "notify"
attention = [{ what = "theme", screen = "(?m)^Which theme", answer = { at = "(?m)^> dark", keys = ["Enter"] } }]

[runtime.slow]
kind = "program"
readiness = "notify"
boot_deadline = "100ms"

[runtime.talker]
kind = "program"
readiness = "output"
boot_deadline = "1s"
"#;

async fn daemon() -> Daemon {
    Daemon::on(Root::with(&[("home/.config/coalmine/config.toml", CONFIG)])).await
}

/// `create NAME --runtime R --start` with a script.
fn create(daemon: &Daemon, runtime: &str, script: &str) -> crate::support::Said {
    let coalmine = env!("CARGO_BIN_EXE_coalmine");
    let script = script.replace("COALMINE", coalmine);
    daemon.coalmine(&["create", "bob", "--runtime", runtime, "--start", "--", "/bin/sh", "-c", &script])
}

#[tokio::test]
async fn a_peer_is_up_when_its_program_says_so() {
    let daemon = daemon().await;
    let script = "while ! [ -e go ]; do sleep 0.01; done; COALMINE --json ready > said; exec sleep 3600";
    let starting = daemon.ask(&[
        "create",
        "bob",
        "--runtime",
        "notifier",
        "--",
        "/bin/sh",
        "-c",
        &script.replace("COALMINE", env!("CARGO_BIN_EXE_coalmine")),
    ]);
    assert_eq!(starting["peer"]["phase"], "asleep");
    // It is not up before: the wait that is asked for ends first.
    let said = daemon.coalmine(&["start", "bob", "--timeout", "300ms"]);
    assert_eq!(said.code, 5, "{said:?}");
    assert!(said.err.contains("the start of notifier-bob") && said.err.contains("--timeout"), "{said:?}");
    assert_eq!(daemon.peer("bob")["phase"], "starting");
    daemon.put("go", "");
    daemon.coalmine(&["start", "bob"]).tells(&["notifier-bob is up (gen 1)"]);
    assert_eq!(daemon.read("said"), "{\"schema_version\":1,\"data\":{\"identity\":\"notifier-bob\",\"gen\":1}}\n");
}

#[tokio::test]
async fn a_dialog_needs_attention_and_names_the_way_to_it() {
    let daemon = daemon().await;
    let said = create(&daemon, "dialog", "echo Sign in first; read answer; COALMINE ready; exec sleep 3600");
    said.tells(&["dialog-bob is needs-attention: sign-in", "next: `coalmine attach dialog-bob`"]);
    assert_eq!(
        (&daemon.peer("bob")["phase"], &daemon.peer("bob")["detail"]),
        (&json!("needs-attention"), &json!("sign-in"))
    );
    daemon.coalmine(&["list"]).tells(&["needs-attention", "`coalmine attach dialog-bob`"]);
    daemon.coalmine(&["status"]).tells(&["dialog-bob: needs-attention: sign-in"]);
}

#[tokio::test]
async fn a_dialog_is_answered_as_its_runtime_says_where_its_cursor_sits_there() {
    let daemon = daemon().await;
    let script = "printf 'Which theme?\\n> dark\\n  light\\n'; read answer; COALMINE ready; exec sleep 3600";
    create(&daemon, "answered", script).tells(&["answered-bob is up (gen 1)"]);
    let told = |what: &str| daemon.read("journal/lifecycle.log").matches(what).count();
    assert_eq!((told("ev=dialog-answered"), told("ev=needs-attention")), (1, 0));
    // On another line it is a person's to answer.
    let script = "printf 'Which theme?\\n  dark\\n> light\\n'; read answer; COALMINE ready; exec sleep 3600";
    let script = script.replace("COALMINE", env!("CARGO_BIN_EXE_coalmine"));
    let eve = ["create", "eve", "--runtime", "answered", "--start", "--", "/bin/sh", "-c", &script];
    daemon.coalmine(&eve).tells(&["answered-eve is needs-attention: theme"]);
    assert_eq!(told("ev=dialog-answered"), 1);
}

#[tokio::test]
async fn a_dialog_stays_what_it_is_when_the_boot_has_taken_too_long() {
    let config = CONFIG.replace("[runtime.dialog]\n", "[runtime.dialog]\nboot_deadline = \"100ms\"\n");
    let daemon = Daemon::on(Root::with(&[("home/.config/coalmine/config.toml", &config)])).await;
    let script =
        "echo Sign in first; while ! [ -e go ]; do sleep 0.01; done; printf '\\033[2J\\033[Hnothing'; exec sleep 3600";
    create(&daemon, "dialog", script).tells(&["dialog-bob is needs-attention: sign-in"]);
    // It began later and has as long: when it is slow, the other one's time is over.
    let later = daemon.coalmine(&["create", "eve", "--runtime", "slow", "--start", "--", "/bin/sleep", "3600"]);
    later.tells(&["slow-eve is needs-attention: slow"]);
    assert_eq!(daemon.peer("dialog-bob")["detail"], "sign-in");
    // Once it is answered, and nothing follows, the boot is slow.
    daemon.put("go", "");
    daemon.until("dialog-bob", "is slow", |peer| peer["detail"] == "slow").await;
}

#[tokio::test]
async fn a_boot_that_takes_too_long_needs_attention_and_is_no_death() {
    let daemon = daemon().await;
    create(&daemon, "slow", "exec sleep 3600").tells(&["slow-bob is needs-attention: slow"]);
    assert_eq!(daemon.ask(&["deaths"]), json!([]));
}

#[tokio::test]
async fn what_an_earlier_life_wrote_makes_no_later_one_ready() {
    let daemon = daemon().await;
    let script = "[ -e silent ] || echo hello; exec sleep 3600";
    create(&daemon, "talker", script).tells(&["talker-bob is up (gen 1)"]);
    daemon.coalmine(&["logs", "bob"]).tells(&["hello"]);
    daemon.put("silent", "");
    daemon.coalmine(&["restart", "bob"]).tells(&["talker-bob is needs-attention: slow (gen 2)"]);
}

#[tokio::test]
async fn a_word_of_another_life_changes_nothing() {
    let daemon = daemon().await;
    daemon.ask(&["create", "bob", "--runtime", "notifier", "--", "sleep", "3600"]);
    assert_eq!(daemon.coalmine(&["start", "bob", "--timeout", "200ms"]).code, 5);
    let ready = |generation: &str| {
        let mut command = daemon.command(&["ready"]);
        command.env("PEER_IDENTITY", "notifier-bob").env("PEER_GENERATION", generation);
        crate::support::Said::of(&mut command)
    };
    assert_eq!(ready("7").code, 0);
    assert_eq!(daemon.peer("bob")["phase"], "starting");
    assert_eq!(ready("one").code, 2);
    assert_eq!(ready("1").code, 0);
    daemon.until("bob", "up", |peer| peer["phase"] == "up").await;
}
