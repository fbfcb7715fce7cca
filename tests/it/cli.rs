//! The command line without a daemon: usage, exit codes, and what the files alone tell.

use crate::support::Root;
use serde_json::Value;

const FLEET: &str = r#"{"version":1,"peers":[
    {"personality":"bob","runtimes":["shell"],"default_runtime":"shell","cwd":"/tmp","command":["sleep","inf"]}
    ],"retired":{}}"#;

#[test]
fn help_lists_the_exit_codes() {
    let help = Root::new().coalmine(&["--help"]);
    assert_eq!(help.code, 0);
    for line in ["2  usage", "69  the daemon can not be reached", "75  held by another", "78  bad configuration"] {
        assert!(help.out.contains(line), "{}", help.out);
    }
}

#[test]
fn every_verb_has_a_help_of_its_own() {
    let root = Root::new();
    for verb in [
        "create", "list", "show", "status", "start", "stop", "restart", "reset", "remove", "attach", "capture", "logs",
        "events", "deaths", "ready", "up", "down", "daemon", "verify", "doctor",
    ] {
        let help = root.coalmine(&[verb, "--help"]);
        assert_eq!((help.code, help.out.contains("Usage: coalmine")), (0, true), "{verb}: {help:?}");
    }
}

#[test]
fn wrong_usage_is_exit_2_also_as_json() {
    let root = Root::new();
    for args in [&["nope"][..], &[], &["show"], &["start"], &["start", "--all", "bob"], &["deaths", "-n", "0"]] {
        let said = root.coalmine(args);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{args:?}: {said:?}");
    }
    let said = root.coalmine(&["--json", "show"]);
    let error: Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!((said.code, &error["error"]["code"]), (2, &Value::from("usage")), "{said:?}");
}

#[test]
fn an_empty_fleet_says_how_to_make_a_peer() {
    let list = Root::new().coalmine(&["list"]);
    assert_eq!(list.code, 0);
    assert!(list.out.starts_with("daemon: not running\n"), "{}", list.out);
    assert!(list.out.contains("coalmine create NAME --start"), "{}", list.out);
}

#[test]
fn a_fleet_is_listed_from_its_files() {
    let root = Root::with(&[("fleet.json", FLEET)]);
    let list = root.coalmine(&["list"]);
    assert!(
        list.out.contains("shell-bob") && list.out.contains("asleep") && list.out.contains("sleep inf"),
        "{list:?}"
    );
    assert!(!list.out.contains('\u{1b}'), "colours without a terminal: {list:?}");
    let json = root.coalmine(&["list", "--json"]).json();
    assert_eq!((&json["schema_version"], &json["daemon"]), (&Value::from(1), &Value::from("not running")));
    assert_eq!(json["data"][0]["identity"], "shell-bob");
    assert_eq!(root.coalmine(&["status", "--json"]).json()["data"]["phases"][0][0], "asleep");
    assert!(root.coalmine(&["show", "bob"]).out.contains("on-failure"));
}

#[test]
fn an_unknown_name_is_exit_3_with_the_nearest_one() {
    let root = Root::with(&[("fleet.json", FLEET)]);
    for verb in ["show", "logs", "deaths"] {
        let said = root.coalmine(&[verb, "bop"]);
        assert_eq!(said.code, 3, "{verb}: {said:?}");
        assert!(said.err.contains("no peer is named bop") && said.err.contains("did you mean bob?"), "{said:?}");
    }
    let said = root.coalmine(&["show", "Bob"]);
    assert_eq!(said.code, 2, "{said:?}");
}

#[test]
fn acts_without_a_daemon_are_exit_69() {
    let root = Root::with(&[("fleet.json", FLEET)]);
    for args in [
        &["stop", "bob"][..],
        &["restart", "--all"],
        &["reset", "bob"],
        &["remove", "bob"],
        &["capture", "bob"],
        &["start", "bob", "--no-daemon"],
        &["create", "x", "--no-daemon"],
        &["create", "--no-daemon", "--start", "-x", "--", "sleep", "--all"],
        &["events", "-f"],
    ] {
        let said = root.coalmine(args);
        assert_eq!(said.code, 69, "{args:?}: {said:?}");
        assert!(said.err.contains("hint:"), "{said:?}");
    }
    let said = root.coalmine(&["--json", "stop", "bob"]);
    let error: Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!((&error["error"]["retryable"], said.out.as_str()), (&Value::from(true), ""), "{said:?}");
}

#[test]
fn no_daemon_is_started_for_a_socket_that_it_would_not_serve() {
    let root = Root::new();
    let said = root.coalmine(&["--socket", "/nonexistent/daemon.sock", "up", "-d"]);
    assert_eq!(said.code, 69, "{said:?}");
    assert!(said.err.contains("not at /nonexistent/daemon.sock"), "{said:?}");
}

#[test]
fn a_slip_in_a_flag_is_not_taken_for_a_name() {
    let root = Root::new();
    for args in [&["create", "--strat"][..], &["start", "bob", "--no-deamon"]] {
        let said = root.coalmine(args);
        assert_eq!(said.code, 2, "{args:?}: {said:?}");
        assert!(said.err.contains(args.iter().find(|arg| arg.starts_with("--")).unwrap()), "{said:?}");
    }
}

#[test]
fn down_without_a_daemon_is_done_already() {
    let down = Root::with(&[("fleet.json", FLEET)]).coalmine(&["down"]);
    assert_eq!((down.code, down.out.as_str()), (0, "no daemon runs, and no peer\n"));
}

#[test]
fn attach_outside_a_terminal_and_ready_outside_a_peer_are_usage_errors() {
    let root = Root::new();
    for args in [&["attach", "bob"][..], &["ready"], &["up"]] {
        assert_eq!(root.coalmine(args).code, 2, "{args:?}");
    }
}

#[test]
fn a_bad_config_stops_the_daemon_with_78_and_no_reader() {
    let root =
        Root::with(&[("fleet.json", FLEET), ("home/.config/coalmine/config.toml", "[restart]\npolcy = \"never\"")]);
    let daemon = root.coalmine(&["daemon"]);
    assert_eq!(daemon.code, 78, "{daemon:?}");
    assert!(daemon.err.contains("line 2: unknown key \"polcy\"; did you mean \"policy\"?"), "{daemon:?}");
    assert_eq!(root.coalmine(&["list"]).code, 0);
    // In the background its last words come through, with its exit code.
    let up = root.coalmine(&["up", "-d"]);
    assert_eq!(up.code, 78, "{up:?}");
    assert!(up.err.contains("unknown key \"polcy\""), "{up:?}");
}

#[test]
fn logs_are_cleaned_and_cut_to_their_end() {
    let log = "one\ntwo\n\u{1b}[31mthree\u{1b}[0m\u{1b}]0;evil\u{7}\n";
    let root = Root::with(&[("fleet.json", FLEET), ("peers/shell-bob/pane.log", log)]);
    assert_eq!(root.coalmine(&["logs", "bob", "-n", "2"]).out, "two\nthree\n");
    assert_eq!(root.coalmine(&["logs", "shell-bob", "--raw", "-n", "9"]).out, log);
    assert_eq!(root.coalmine(&["logs", "bob", "-n", "1", "--json"]).json()["data"]["text"], "three\n");
}

#[test]
fn verify_names_what_can_not_be_read() {
    let good = Root::with(&[("fleet.json", FLEET)]);
    assert_eq!(good.coalmine(&["verify"]).code, 0);
    assert_eq!(Root::new().coalmine(&["verify"]).code, 0);
    let bad_record = FLEET.replace("\"bob\"", "\"BOB\"");
    for (files, says) in [
        (&[("fleet.json", "{ nope")][..], "is damaged"),
        (&[("fleet.json", bad_record.as_str())], "record 0 is left out"),
        (&[("fleet.json", FLEET), ("peers/shell-bob/state.json", "[]")], "peers/shell-bob/state.json"),
        (&[("journal/lifecycle.log", "ts=never seq=1 ev=up\n")], "line 1"),
        (&[("journal/exits.log", "a=\"open\n")], "line 1"),
        (&[("journal/server-deaths/shell-bob-g1.txt", "x")], "has no line in exits.log"),
    ] {
        let root = Root::with(files);
        let said = root.coalmine(&["verify"]);
        assert_eq!(said.code, 6, "{files:?}: {said:?}");
        assert!(said.out.contains(says), "{says}: {said:?}");
    }
}

#[test]
fn a_damaged_registry_is_exit_78_for_readers() {
    let said = Root::with(&[("fleet.json", "{ nope")]).coalmine(&["list"]);
    assert_eq!(said.code, 78, "{said:?}");
    assert!(said.err.contains("not JSON") && said.err.contains("hint: mend it"), "{said:?}");
}

#[test]
fn doctor_names_an_open_state_folder_and_what_to_run() {
    let root = Root::new();
    std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let said = root.coalmine(&["doctor"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.out.contains("is open to others (mode 755)") && said.out.contains("chmod 700"), "{said:?}");
    for subject in ["tmux: ", "kernel: ", "helper: ", "config: ", "sockets: ", "disk: ", "daemon: not running"] {
        assert!(said.out.contains(subject), "{subject}: {said:?}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let root = Root::with(&[("fleet.json", FLEET)]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_coalmine"))
        .args(["list", "--root"])
        .arg(root.path())
        .stdout(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
}
