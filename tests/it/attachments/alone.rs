//! Attachments without a daemon: the same verbs, by the process that was called, with the fleet's lock.

use super::conformance::noise;
use crate::support::{Daemon, Refusal, Root, http};
use coalmine::io::lock;
use coalmine_actors::attachments::AttachmentId;
use rustix::process::Signal;
use serde_json::json;
use std::{fs, process::Stdio};

const CONFIG: &str = "home/.config/coalmine/config.toml";

#[tokio::test]
async fn a_file_goes_in_and_comes_out_and_the_next_daemon_has_it() {
    let root = Root::new();
    let bytes = noise(1, 700_000);
    let id = AttachmentId::of(&bytes).to_string();
    let (file, out) = (root.folder().join("map.bin"), root.folder().join("out.bin"));
    fs::write(&file, &bytes).unwrap();
    let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
    root.coalmine(&["attachment", "put", file]).tells(&[&id]);
    root.coalmine(&["attachment", "list"]).tells(&[&id, "map.bin"]);
    root.coalmine(&["attachment", "stat", &id]).tells(&["700000"]);
    root.coalmine(&["attachment", "get", &id, "-o", out]).tells(&["700000 bytes written"]);
    assert_eq!(fs::read(out).unwrap(), bytes);
    let got = root.command(&["attachment", "get", &id]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(got.stdout, bytes);
    root.coalmine(&["attachment", "verify"]).tells(&["in order: 1 attachment of 700000 bytes"]);
    root.coalmine(&["attachment", "adopt", "operator", "shell-bob"]).tells(&["1 reference copied"]);
    root.coalmine(&["attachment", "gc", "--grace", "0s"]).tells(&["0 attachments"]);
    let daemon = Daemon::on(root).await;
    daemon.coalmine(&["attachment", "list", "--session", "shell-bob"]).tells(&[&id]);
    daemon.coalmine(&["attachment", "forget", &id]).tells(&["2 references ended"]);
    daemon.signal(Signal::TERM);
    let (_, root) = daemon.ended().await;
    root.coalmine(&["attachment", "gc"]).tells(&["1 attachment of 700000 bytes removed"]);
    root.coalmine(&["attachment", "list"]).tells(&["nothing is stored"]);
}

#[test]
fn whoever_only_looks_makes_nothing() {
    for root in [Root::new(), Root::at("not/there")] {
        let id = AttachmentId::of(b"x").to_string();
        root.coalmine(&["attachment", "list"]).tells(&["nothing is stored"]);
        root.coalmine(&["attachment", "verify"]).tells(&["in order: 0 attachments"]);
        root.coalmine(&["attachment", "gc"]).tells(&["0 attachments of 0 bytes removed"]);
        let refusal =
            Refusal { code: "no-attachment", exit: 3, message: "there is no attachment", hint: "attachment list" };
        for verb in ["get", "stat", "forget"] {
            let args = ["attachment", verb, &id];
            refusal.check(&root.coalmine(&[&["--json"], &args[..]].concat()), &root.coalmine(&args));
        }
        assert!(!root.path().join("attachments").exists());
    }
}

#[test]
fn calls_at_once_take_turns_and_all_of_them_store() {
    let root = Root::new();
    let put = |number: u64| {
        let file = root.folder().join(format!("file{number}"));
        fs::write(&file, noise(number, 200_000)).unwrap();
        let mut command = root.command(&["attachment", "put", file.to_str().unwrap()]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let puts: Vec<_> = (0..8).map(put).collect();
    for put in puts {
        let said = put.wait_with_output().unwrap();
        assert!(said.status.success(), "{said:?}");
    }
    root.coalmine(&["attachment", "verify"]).tells(&["in order: 8 attachments of 1600000 bytes"]);
}

#[test]
fn a_lock_whose_holder_does_not_listen_is_named() {
    let root = Root::new();
    let held = lock::try_lock(&root.paths().daemon_lock()).unwrap();
    let said = root.coalmine(&["--json", "attachment", "list"]);
    assert_eq!(said.code, 69, "{said:?}");
    let words = said.error()["message"].as_str().unwrap().to_owned();
    assert!(words.contains(&format!("pid {}", std::process::id())) && words.contains("nobody listens"), "{words}");
    drop(held);
    root.coalmine(&["attachment", "list"]).tells(&["nothing is stored"]);
}

#[test]
fn limits_hold_and_what_is_too_much_is_refused_in_words() {
    let config = "[attachments]\nbytes_max = \"1M\"\ntotal_bytes_max = \"1500K\"\n";
    let root = Root::with(&[(CONFIG, config)]);
    let file = |name: &str, length| {
        let path = root.folder().join(name);
        fs::write(&path, noise(length as u64, length)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let check = |file: &str, refusal: &Refusal| {
        let args = ["attachment", "put", file];
        refusal.check(&root.coalmine(&[&["--json"], &args[..]].concat()), &root.coalmine(&args));
    };
    let large = Refusal { code: "too-large", exit: 2, message: "longer than 1048576 bytes", hint: "config.toml" };
    check(&file("large", 1024 * 1024 + 1), &large);
    root.coalmine(&["attachment", "put", &file("first", 1_000_000)]).tells(&[]);
    let full = Refusal { code: "over-quota", exit: 4, message: "the store may hold 1536000", hint: "$COALMINE_CONFIG" };
    check(&file("second", 900_000), &full);
    root.coalmine(&["attachment", "verify"]).tells(&["in order: 1 attachment of 1000000 bytes"]);
}

#[test]
fn ephemeral_attachments_are_the_daemons_alone() {
    let root = Root::with(&[(CONFIG, "[fleet]\ntier = \"inline\"\n[attachments]\npersistence = \"ephemeral\"\n")]);
    let said = root.coalmine(&["--json", "attachment", "list"]);
    assert_eq!((said.code, said.error()["code"].as_str()), (69, Some("unreachable")), "{said:?}");
    assert!(said.error()["message"].as_str().unwrap().contains("ephemeral"), "{said:?}");
}

#[tokio::test]
async fn a_sweep_without_a_daemon_spares_whoever_the_registry_knows_and_everybody_where_it_can_not_be_read() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--", "sleep", "60"]);
    let socket = daemon.paths().daemon_socket();
    let put = |session: &str| {
        let target = format!("/v1/attachments?session={session}&commit=false");
        let (status, _) = http::talk(&socket, &http::request("PUT", &target, session.as_bytes()));
        assert_eq!(status, 200);
    };
    ["shell-bob", "shell-gone"].iter().for_each(|session| put(session));
    daemon.signal(Signal::TERM);
    let (_, root) = daemon.ended().await;
    let fleet = root.read("fleet.json");
    let sweep = || root.ask(&["attachment", "gc", "--grace", "0s"])["removed"].take();
    root.put("fleet.json", "no registry");
    root.put("fleet.json.bak", "neither");
    assert_eq!(sweep(), json!(0), "unknown is not dead");
    root.put("fleet.json", &fleet);
    assert_eq!(sweep(), json!(1));
    root.coalmine(&["attachment", "list", "--session", "shell-bob"]).tells(&["text/plain"]);
    root.coalmine(&["attachment", "list", "--session", "shell-gone"]).tells(&["nothing is stored"]);
}
