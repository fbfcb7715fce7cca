//! What a careless or hostile hand does to attachments: names that are none, labels, things planted in the store, a
//! manifest that is damaged.

use super::{conformance::noise, disk::blob};
use crate::support::{Daemon, Refusal, Root, http};
use coalmine_actors::attachments::AttachmentId;
use rustix::process::Signal;
use serde_json::json;
use std::{
    fs,
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
    path::Path,
    process::Command,
};

const LOST: Refusal = Refusal { code: "lost", exit: 1, message: "are lost", hint: "put the true bytes again" };

/// Stores these bytes; their id.
fn put(root: &Root, bytes: &[u8]) -> String {
    let file = root.folder().join("file");
    fs::write(&file, bytes).unwrap();
    root.ask(&["attachment", "put", file.to_str().unwrap()])["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn no_spelling_of_an_address_leads_to_anything_but_an_attachment() {
    let daemon = Daemon::start().await;
    let socket = daemon.paths().daemon_socket();
    let good = put(&daemon, b"words");
    let (upper, short, long) = (good.to_uppercase(), &good[..63], good.clone() + "0");
    let encoded_nul = format!("{short}%00");
    let encoded_slash = format!("%2e%2e%2f{short}");
    for bad in
        ["..", "%2e%2e", "..%2f..%2fetc%2fpasswd", &upper, short, &long, &encoded_nul, &encoded_slash, "%20", "x"]
    {
        for (method, rest) in [("GET", ""), ("GET", "/meta"), ("DELETE", "")] {
            let target = format!("/v1/attachments/{bad}{rest}");
            let (status, answer) = http::talk(&socket, &http::request(method, &target, b""));
            assert_eq!((status, &answer["error"]["code"]), (400, &json!("bad-attachment-id")), "{method} {target}");
        }
    }
    for (target, code) in [
        ("/v1/attachments/%ff%fe", "bad-path"),
        ("/v1/attachments/../../etc/passwd", "no-route"),
        ("/v1/attachments//meta", "bad-attachment-id"),
        ("/v1/attachments?after=..", "bad-query"),
        ("/v1/attachments?session=two%20words", "bad-query"),
    ] {
        let (status, answer) = http::talk(&socket, &http::request("GET", target, b""));
        assert!(matches!(status, 400 | 404) && answer["error"]["code"] == code, "{target}: {status} {answer}");
    }
    // An escape of an ordinary character is that character.
    let escaped = format!("%{:02x}{}", good.as_bytes()[0], &good[1..]);
    let (status, meta) = http::talk(&socket, &http::request("GET", &format!("/v1/attachments/{escaped}/meta"), b""));
    assert_eq!((status, &meta["data"]["id"]), (200, &json!(good)));
}

#[tokio::test]
async fn a_label_is_one_short_line_and_a_files_name_makes_one_whatever_it_is() {
    let daemon = Daemon::start().await;
    let file = daemon.folder().join("file");
    fs::write(&file, "words").unwrap();
    let file = file.to_str().unwrap();
    let long = "x".repeat(100_000);
    for (label, message, hint) in [
        ("two\nlines", "control character '\\n'", "one line of plain text"),
        ("\u{1b}[31mred", "control character '\\u{1b}'", "one line of plain text"),
        (long.as_str(), "the label has 100000 bytes; 256 are the limit", "a shorter one"),
    ] {
        let refusal = Refusal { code: "invalid-attachment", exit: 2, message, hint };
        daemon.refuses(&["attachment", "put", file, "--label", label], &refusal);
    }
    let names = [&b"two\nlines"[..], b"\x1b[31mred", &[0xff; 200], &[b'y'; 255]];
    for name in names {
        let path = daemon.folder().join(std::ffi::OsStr::from_bytes(name));
        fs::write(&path, name).unwrap();
        let mut put = daemon.command(&["--json", "attachment", "put"]);
        let said = put.arg(&path).output().unwrap();
        assert!(said.status.success(), "{said:?}");
    }
    daemon.coalmine(&["attachment", "list"]).tells(&["two lines", "red", "yyyy"]);
    let refusal = Refusal { code: "usage", exit: 2, message: "", hint: "" };
    let negative = daemon.coalmine(&["attachment", "gc", "--grace", "-1h"]);
    assert!(negative.code == refusal.exit && negative.err.contains("must not be negative"), "{negative:?}");
}

#[tokio::test]
async fn whatever_is_planted_in_the_place_of_bytes_is_told_as_their_loss_and_healed_by_a_put() {
    let daemon = Daemon::start().await;
    let bytes = noise(1, 5_000);
    let id = put(&daemon, &bytes);
    let place = blob(daemon.path(), id.parse().unwrap());
    let fifo = |at: &Path| assert!(Command::new("mkfifo").arg(at).status().unwrap().success());
    let link = |at: &Path| symlink("/etc/passwd", at).unwrap();
    let folder = |at: &Path| fs::create_dir(at).unwrap();
    let socket = |at: &Path| {
        // A socket's path is short; it is moved there.
        let short = daemon.folder().join("s");
        drop(UnixListener::bind(&short).unwrap());
        fs::rename(short, at).unwrap();
    };
    for plant in [&fifo as &dyn Fn(&Path), &link, &folder, &socket] {
        fs::remove_file(&place).unwrap();
        plant(&place);
        daemon.refuses(&["attachment", "get", &id], &LOST);
        daemon.refuses(&["attachment", "stat", &id], &LOST);
        let verified = daemon.coalmine(&["attachment", "verify"]);
        assert_eq!(verified.code, 6, "{verified:?}");
        assert!(verified.out.starts_with(&format!("{id} is referred to, and its bytes are gone")), "{verified:?}");
        assert!(verified.out.ends_with("in order: 0 attachments of 0 bytes\n"), "{verified:?}");
        assert_eq!(put(&daemon, &bytes), id);
        daemon.coalmine(&["attachment", "verify"]).tells(&["in order: 1 attachment of 5000 bytes"]);
    }
}

#[tokio::test]
async fn what_is_not_known_can_not_be_forgotten() {
    let daemon = Daemon::start().await;
    let unknown = AttachmentId::of(b"nobody's").to_string();
    let gone = Refusal { code: "no-attachment", exit: 3, message: "there is no attachment", hint: "attachment list" };
    daemon.refuses(&["attachment", "forget", &unknown], &gone);
    let id = put(&daemon, b"words");
    daemon.refuses(&["attachment", "forget", &id, "--session", "shell-bob"], &gone);
    daemon.coalmine(&["attachment", "forget", &id]).tells(&["1 reference ended"]);
    daemon.coalmine(&["attachment", "forget", &id]).tells(&["nobody referred to it", "attachment gc"]);
    daemon.coalmine(&["attachment", "gc"]).tells(&["1 attachment of 5 bytes removed"]);
    daemon.refuses(&["attachment", "forget", &id], &gone);
}

#[tokio::test]
async fn a_removed_peers_references_end_and_its_forks_stay() {
    let daemon = Daemon::start().await;
    for name in ["bob", "fork"] {
        daemon.ask(&["create", name, "--", "sleep", "60"]);
    }
    let file = daemon.folder().join("file");
    fs::write(&file, "words").unwrap();
    let put = daemon.ask(&["attachment", "put", file.to_str().unwrap(), "--session", "shell-bob"]);
    let id = put["id"].as_str().unwrap().to_owned();
    assert_eq!(daemon.ask(&["attachment", "adopt", "shell-bob", "shell-fork"])["adopted"], 1);
    assert_eq!(daemon.ask(&["attachment", "adopt", "shell-bob", "shell-fork"])["adopted"], 0, "it has them already");
    for (removed, left) in [("bob", 0), ("fork", 1)] {
        daemon.coalmine(&["attachment", "list", "--session", "shell-fork"]).tells(&[&id]);
        daemon.ask(&["remove", removed]);
        assert_eq!(daemon.ask(&["attachment", "gc", "--grace", "0s"])["removed"], left, "{removed}");
    }
    daemon.coalmine(&["attachment", "list"]).tells(&["nothing is stored"]);
}

/// A manifest that no daemon can use, and what is told about it.
type Damage<'d> = (&'static str, &'d dyn Fn(&Path), &'static str);

#[tokio::test]
async fn a_manifest_that_can_not_be_used_costs_no_bytes_and_the_refusal_says_what_to_do() {
    let stored = Root::new();
    let bytes = noise(1, 5_000);
    let id = put(&stored, &bytes);
    let folder = stored.path().join("attachments");
    let manifest = fs::read(folder.join("manifest.sqlite")).unwrap();
    let garbage = |at: &Path| fs::write(at, noise(9, 20_000)).unwrap();
    let truncated = |at: &Path| fs::write(at, &manifest[..manifest.len() / 2]).unwrap();
    let newer = |at: &Path| {
        fs::write(at, &manifest).unwrap();
        rusqlite::Connection::open(at).unwrap().pragma_update(None, "user_version", 99).unwrap();
    };
    let a_folder = |at: &Path| fs::create_dir(at).unwrap();
    let link = |at: &Path| symlink("/dev/null", at).unwrap();
    let fifo = |at: &Path| assert!(Command::new("mkfifo").arg(at).status().unwrap().success());
    let damages: [Damage<'_>; 6] = [
        ("file is not a database", &garbage, "move it away"),
        ("malformed", &truncated, "move it away"),
        ("version 99 of the manifest is of a newer coalmine", &newer, "use the newer coalmine"),
        ("Is a directory", &a_folder, "try again"),
        ("symbolic links", &link, "try again"),
        ("No such device", &fifo, "try again"),
    ];
    let mut root = stored;
    for (message, damage, hint) in damages {
        for suffix in ["", "-wal", "-shm"] {
            let path = root.path().join(format!("attachments/manifest.sqlite{suffix}"));
            let _it_may_not_be_there = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
        }
        damage(&root.path().join("attachments/manifest.sqlite"));
        let daemon = Daemon::on(root).await;
        let refusal = Refusal { code: "manifest-record-failed", exit: 75, message, hint };
        let other = daemon.folder().join("other");
        fs::write(&other, "other words").unwrap();
        daemon.refuses(&["attachment", "put", other.to_str().unwrap()], &refusal);
        let got = daemon.command(&["attachment", "get", &id]).output().unwrap();
        assert_eq!(got.stdout, bytes, "{message}: gets go on");
        assert!(blob(daemon.path(), id.parse().unwrap()).exists());
        daemon.signal(Signal::TERM);
        root = daemon.ended().await.1;
    }
}

#[tokio::test]
async fn where_the_manifest_is_gone_nothing_is_removed_and_a_put_refers_again() {
    let root = Root::new();
    let (kept, lost) = (put(&root, b"kept"), put(&root, b"lost"));
    fs::remove_file(root.path().join("attachments/manifest.sqlite")).unwrap();
    let daemon = Daemon::on(root).await;
    assert!(daemon.words().contains("manifest is gone"), "{}", daemon.words());
    for _ in 0..2 {
        assert_eq!(daemon.ask(&["attachment", "gc", "--grace", "0s"])["removed"], 0);
    }
    assert_eq!(put(&daemon, b"kept"), kept);
    let verified = daemon.coalmine(&["attachment", "verify"]);
    assert_eq!(verified.code, 6, "{verified:?}");
    assert!(verified.out.starts_with(&format!("{lost} is not in the manifest")), "{verified:?}");
    daemon.coalmine(&["attachment", "list"]).tells(&[&kept]);
    daemon.coalmine(&["attachment", "get", &lost]).tells(&["lost"]);
}

#[test]
fn a_store_that_is_a_link_or_open_to_others_is_refused_with_and_without_a_daemon() {
    let root = Root::new();
    put(&root, b"words");
    let folder = root.path().join("attachments");
    let aside = root.path().join("aside");
    fs::rename(&folder, &aside).unwrap();
    let check = |message| {
        let refusal = Refusal { code: "unsafe-path", exit: 1, message, hint: "mode 0700, not a link" };
        for verb in [&["daemon"][..], &["attachment", "list"], &["attachment", "gc"]] {
            refusal.check(&root.coalmine(&[&["--json"], verb].concat()), &root.coalmine(verb));
        }
    };
    symlink(&aside, &folder).unwrap();
    check("attachments is a link");
    fs::remove_file(&folder).unwrap();
    fs::rename(&aside, &folder).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
    check("is open to others (mode 755)");
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o700)).unwrap();
    root.coalmine(&["attachment", "verify"]).tells(&["in order: 1 attachment of 5 bytes"]);
}
