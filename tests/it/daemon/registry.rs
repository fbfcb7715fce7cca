//! A `fleet.json` that somebody damaged: one record costs one record, and nothing is written over.

use crate::support::{Daemon, Refusal, Root};
use serde_json::{Value, json};

const ONE_BAD: &str = r#"{"version":1,"color":"kept","peers":[
    {"personality":"anna","runtimes":["shell"],"default_runtime":"shell","cwd":"/tmp","command":["sleep","60"],"mood":"kept"},
    {"personality":"BOB","runtimes":["shell"],"why":"capitals"},
    {"personality":"carl","runtimes":["shell"],"default_runtime":"shell","cwd":"/tmp","command":["sleep","60"]}
    ],"retired":{}}"#;

#[tokio::test]
async fn one_bad_record_hides_nobody_and_stays_in_the_file() {
    let daemon = Daemon::on(Root::with(&[("fleet.json", ONE_BAD)])).await;
    daemon.coalmine(&["start", "--all"]).tells(&["shell-anna is up", "shell-carl is up"]);
    for verb in ["create", "remove"] {
        // Later writes keep what they do not understand.
        match verb {
            "create" => daemon.ask(&["create", "dora", "--", "sleep", "60"]),
            _ => daemon.ask(&["remove", "dora"]),
        };
        let fleet: Value = serde_json::from_str(&daemon.read("fleet.json")).unwrap();
        let peers = fleet["peers"].as_array().unwrap();
        assert!(peers.contains(&json!({"personality":"BOB","runtimes":["shell"],"why":"capitals"})), "{fleet}");
        let anna = peers.iter().find(|peer| peer["personality"] == "anna").unwrap();
        assert_eq!((&anna["mood"], &fleet["color"]), (&json!("kept"), &json!("kept")));
    }
    let said = daemon.coalmine(&["verify"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(
        said.out.contains("BOB") && said.out.contains("is left out") && said.out.contains("run: edit "),
        "{said:?}"
    );
    daemon.coalmine(&["status"]).tells(&["problem", "BOB"]);
    assert_eq!(daemon.ask(&["list"]).as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_file_that_is_no_json_stops_the_daemon_and_is_not_touched() {
    for damaged in ["{ nope", "", "[]", r#"{"version":1,"peers":{}}"#, "\u{0}\u{0}"] {
        let root = Root::with(&[("fleet.json", damaged)]);
        let refusal = Refusal { code: "damaged", exit: 78, message: "fleet.json is damaged", hint: "mend it" };
        refusal.check(&root.coalmine(&["--json", "daemon"]), &root.coalmine(&["daemon"]));
        // It was ended in order, so that nothing works on, or speaks, behind the error.
        let log = root.read("journal/lifecycle.log");
        let told = |event: &str| log.matches(&format!(" ev={event} ")).count();
        assert_eq!((told("daemon-started"), told("daemon-stopping")), (2, 2), "{log}");
        let said = root.coalmine(&["create", "bob", "--start", "--", "sleep", "60"]);
        assert_eq!(said.code, 78, "{said:?}");
        assert_eq!(root.read("fleet.json"), damaged);
        let verify = root.coalmine(&["verify"]);
        assert_eq!(verify.code, 6, "{verify:?}");
        assert!(verify.out.contains("is damaged") && verify.out.contains("run: mend it"), "{verify:?}");
    }
}

#[tokio::test]
async fn a_newer_fleet_is_left_to_the_newer_coalmine() {
    let newer = r#"{"version":99,"peers":[]}"#;
    let root = Root::with(&[("fleet.json", newer), ("fleet.json.bak", r#"{"version":1,"peers":[]}"#)]);
    let refusal = Refusal { code: "damaged", exit: 78, message: "newer coalmine", hint: "newer coalmine" };
    refusal.check(&root.coalmine(&["--json", "daemon"]), &root.coalmine(&["daemon"]));
    assert_eq!(root.read("fleet.json"), newer);
}

#[tokio::test]
async fn a_damaged_file_with_a_good_backup_goes_on_with_it_loudly() {
    let good =
        ONE_BAD.replace("BOB", "bob").replace("\"why\"", "\"default_runtime\":\"shell\",\"cwd\":\"/tmp\",\"why\"");
    let daemon = Daemon::on(Root::with(&[("fleet.json", "{ nope"), ("fleet.json.bak", &good)])).await;
    assert_eq!(daemon.ask(&["list"]).as_array().unwrap().len(), 3);
    daemon.coalmine(&["status"]).tells(&["problem", "fleet.json.bak stands in for it"]);
    let verify = daemon.coalmine(&["verify"]);
    assert_eq!(verify.code, 6, "{verify:?}");
    daemon.ask(&["create", "dora", "--", "sleep", "60"]);
    assert_eq!(daemon.read("fleet.json.damaged"), "{ nope");
    assert_eq!(
        serde_json::from_str::<Value>(&daemon.read("fleet.json")).unwrap()["peers"].as_array().unwrap().len(),
        4
    );
}
