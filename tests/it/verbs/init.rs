//! `coalmine init`: a folder becomes a peer of its name.

use crate::support::{Daemon, Refusal};

#[tokio::test]
async fn a_folder_becomes_a_peer_of_its_name() {
    let daemon = Daemon::start().await;
    for (folder, name) in [("Web Shop", "web-shop"), ("Привет", "privet"), ("Köln", "koln")] {
        daemon.put(&format!("{folder}/file"), "");
        let made = daemon.ask(&["init", folder, "--", "sleep", "60"]);
        assert_eq!((made["new"].as_bool(), made["peer"]["personality"].as_str()), (Some(true), Some(name)));
        assert_eq!(made["peer"]["cwd"].as_str(), daemon.folder().join(folder).to_str());
    }
    daemon.put("here/file", "");
    let mut here = daemon.command(&["init", "--start", "--", "sleep", "60"]);
    crate::support::Said::of(here.current_dir(daemon.folder().join("here")))
        .tells(&["created: shell-here is up (gen 1)"]);
    daemon.put("up/below/file", "");
    assert_eq!(daemon.ask(&["init", "up/below/..", "--", "sleep", "60"])["peer"]["personality"], "up");
}

#[tokio::test]
async fn a_folder_without_a_name_or_with_a_taken_one_is_refused_and_never_given_another() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--cwd", "/", "--", "sleep", "60"]);
    daemon.put("file/x", "");
    for folder in ["bob", "2nd", "..."] {
        daemon.put(&format!("{folder}/x"), "");
    }
    let name = Refusal { code: "usage", exit: 2, message: "", hint: "coalmine create NAME --cwd" };
    for (folder, refusal) in [
        ("bob", Refusal { code: "name-taken", exit: 2, message: "that peer's folder is /", hint: "another name" }),
        ("2nd", Refusal { message: "\"2nd\" begins with a digit", ..name }),
        ("...", Refusal { message: "holds no letter", ..name }),
        ("/", Refusal { message: "holds no letter", ..name }),
        ("nowhere", Refusal { code: "bad-cwd", exit: 2, message: "nowhere does not exist", hint: "--cwd DIR" }),
        ("file/x", Refusal { code: "bad-cwd", exit: 2, message: "is not a folder", hint: "--cwd DIR" }),
    ] {
        daemon.refuses(&["init", folder, "--", "sleep", "60"], &refusal);
    }
}
