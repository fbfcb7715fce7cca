//! `coalmine up` with a file: the plan, what becomes of it, and that doing it again changes nothing.

use crate::support::{Daemon, Refusal, Root, names_in};
use serde_json::{Value, json};

const TWO: &str = r#"
[peer.web]
command = ["sleep", "60"]
env = { PORT = "3000" }

[peer.api]
command = ["sleep", "61"]
start = false
"#;

fn changes(answer: &Value, list: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    answer[list].as_array().unwrap().iter().map(|step| (text(&step["name"]), text(&step["change"]))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, change)| ((*name).to_owned(), (*change).to_owned())).collect()
}

#[tokio::test]
async fn what_is_missing_is_made_and_started_and_doing_it_again_changes_nothing() {
    let daemon = Daemon::on(Root::with(&[("coalmine.toml", TWO)])).await;
    daemon.ask(&["create", "old", "--", "sleep", "60"]);
    daemon.coalmine(&["up", "--dry-run"]).tells(&[
        "create        shell-api\n",
        "create        shell-web, and start it",
        "not declared  old; left alone",
    ]);
    assert_eq!(daemon.ask(&["list"]).as_array().unwrap().len(), 1, "a dry run makes nothing");
    let made = daemon.ask(&["up"]);
    assert_eq!(changes(&made, "done"), pairs(&[("api", "create"), ("web", "create")]));
    assert_eq!((&made["failed"], &made["not_declared"]), (&json!([]), &json!(["old"])));
    assert_eq!((&daemon.peer("web")["phase"], &daemon.peer("api")["phase"]), (&json!("up"), &json!("asleep")));
    let (registry, web) = (daemon.read("fleet.json"), daemon.peer("web"));
    daemon.coalmine(&["up"]).tells(&["unchanged     shell-api is asleep", "unchanged     shell-web is up (gen 1)"]);
    assert_eq!((daemon.read("fleet.json"), daemon.peer("web")["gen"].clone()), (registry, web["gen"].clone()));
}

#[tokio::test]
async fn what_differs_is_changed_and_what_was_stopped_is_started() {
    let daemon = Daemon::on(Root::with(&[("p/coalmine.toml", TWO)])).await;
    daemon.ask(&["up", "-f", "p/coalmine.toml"]);
    daemon.ask(&["stop", "web"]);
    daemon.put("p/coalmine.toml", &TWO.replace("3000", "4000").replace("61", "62"));
    let plan = daemon.ask(&["up", "--dry-run", "-f", "p/coalmine.toml"]);
    assert_eq!(changes(&plan, "steps"), pairs(&[("api", "change"), ("web", "change")]));
    assert_eq!((&plan["steps"][0]["parts"], &plan["steps"][1]["parts"]), (&json!(["command"]), &json!(["env"])));
    daemon.coalmine(&["up", "-f", "p/coalmine.toml"]).tells(&[
        "changed (command)          shell-api is asleep",
        "changed (env) and started  shell-web is up (gen 2)",
    ]);
}

#[tokio::test]
async fn one_slip_in_the_file_leaves_the_whole_fleet_as_it_is() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--cwd", "/", "--", "sleep", "60"]);
    let refusal = Refusal { code: "bad-config", exit: 78, message: "", hint: "" };
    let correct = "correct the file";
    for (text, refusal) in [
        (
            "[peer.x]\ncomand = []",
            Refusal { message: "line 2: unknown key \"comand\"; did you mean \"command\"?", hint: correct, ..refusal },
        ),
        ("[peer.x", Refusal { message: "line 1", hint: correct, ..refusal }),
        (
            "[peer.Bad]\ncommand = [\"sleep\", \"60\"]",
            Refusal { message: "peer.Bad: personality", hint: "a letter first", ..refusal },
        ),
        (
            "[peer.bob]\ncommand = [\"sleep\", \"60\"]",
            Refusal { message: "peer.bob: the name bob is taken", hint: "another name", ..refusal },
        ),
        (
            "[peer.x]\ncwd = \"no\"\ncommand = [\"sleep\"]",
            Refusal { message: "peer.x: the folder", hint: "--cwd DIR", ..refusal },
        ),
        (
            "[peer.x]\ncommand = [\"no-such-program\"]",
            Refusal { message: "peer.x: the command", hint: "in PATH", ..refusal },
        ),
    ] {
        // A good one before the bad one: nothing is half made.
        let good = if text.starts_with("[peer.x") && text.len() < 10 {
            ""
        } else {
            "\n[peer.a]\ncommand = [\"sleep\", \"60\"]"
        };
        daemon.put("coalmine.toml", &format!("{text}{good}"));
        daemon.refuses(&["up"], &refusal);
        daemon.refuses(&["up", "--dry-run"], &refusal);
    }
}

#[tokio::test]
async fn one_that_does_not_start_is_told_and_the_others_run() {
    let file = "[peer.bad]\ncommand = [\"false\"]\n[peer.good]\ncommand = [\"sleep\", \"60\"]";
    let daemon = Daemon::on(Root::with(&[("coalmine.toml", file)])).await;
    let said = daemon.coalmine(&["up"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.out.contains("shell-good is up") && said.err.contains("shell-bad did not start"), "{said:?}");
    daemon.ask(&["wait", "bad", "--for", "quarantined"]);
    let again = daemon.coalmine(&["up"]);
    assert_eq!(again.code, 6, "{again:?}");
    assert!(again.out.contains("next: `coalmine reset shell-bad`"), "{again:?}");
}

#[test]
fn a_plan_needs_no_daemon_and_makes_nothing() {
    let root = Root::with(&[("coalmine.toml", TWO)]);
    let before = names_in(root.folder());
    root.coalmine(&["up", "--dry-run"]).tells(&["daemon: not running", "create  shell-web, and start it"]);
    assert_eq!(names_in(root.folder()), before);
}

#[test]
fn without_a_file_the_two_ways_to_go_on_are_named() {
    let root = Root::new();
    let refusal = Refusal { code: "usage", exit: 2, message: "no coalmine.toml here", hint: "`coalmine up -d`" };
    refusal.check(&root.coalmine(&["--json", "up"]), &root.coalmine(&["up"]));
    let missing = root.coalmine(&["--json", "up", "-f", "nowhere.toml"]);
    assert_eq!((missing.code, missing.error()["code"].as_str()), (78, Some("bad-config")), "{missing:?}");
}
