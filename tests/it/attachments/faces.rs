//! Attachments as people and programs meet them: the command line, and HTTP without our own client.

use super::{conformance::noise, disk::blob};
use crate::support::{Daemon, Refusal, Root, http};
use coalmine_actors::attachments::AttachmentId;
use serde_json::json;
use std::{
    fs,
    process::{Command, Stdio},
};

/// A daemon whose attachments may have a megabyte.
async fn daemon() -> Daemon {
    let config = "[attachments]\nbytes_max = \"1M\"\nsession_bytes_max = \"3M\"\n";
    Daemon::on(Root::with(&[("home/.config/coalmine/config.toml", config)])).await
}

#[tokio::test]
async fn a_file_goes_in_and_comes_out_and_its_whole_life_can_be_followed() {
    let daemon = daemon().await;
    let bytes = noise(1, 700_000);
    let id = AttachmentId::of(&bytes).to_string();
    let (file, out) = (daemon.folder().join("map.bin"), daemon.folder().join("out.bin"));
    fs::write(&file, &bytes).unwrap();
    let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
    daemon.coalmine(&["attachment", "put", file]).tells(&[&id]);
    let put = daemon.ask(&["attachment", "put", file, "--label", "another name"]);
    assert_eq!((put["id"].as_str(), put["byte_len"].as_u64()), (Some(id.as_str()), Some(700_000)));
    assert_eq!(put["label"], "another name");
    daemon.coalmine(&["attachment", "list"]).tells(&[&id, "application/octet-stream", "700000", "map.bin"]);
    daemon.coalmine(&["attachment", "stat", &id]).tells(&["map.bin", "700000"]);
    daemon.coalmine(&["attachment", "get", &id, "-o", out]).tells(&["700000 bytes written"]);
    assert_eq!(fs::read(out).unwrap(), bytes);
    daemon.coalmine(&["attachment", "verify"]).tells(&["in order: 1 attachment of 700000 bytes"]);
    daemon.coalmine(&["attachment", "gc", "--grace", "0s"]).tells(&["0 attachments of 0 bytes removed"]);
    daemon.coalmine(&["attachment", "forget", &id]).tells(&["1 reference ended"]);
    let dry = daemon.ask(&["attachment", "gc", "--dry-run"]);
    assert_eq!((&dry["condemned"], &dry["removed"], &dry["bytes"]), (&json!(1), &json!(0), &json!(700_000)));
    daemon.coalmine(&["attachment", "gc"]).tells(&["1 attachment of 700000 bytes removed"]);
    daemon.coalmine(&["attachment", "list"]).tells(&["nothing is stored"]);
    let gone = Refusal { code: "no-attachment", exit: 3, message: "there is no attachment", hint: "attachment list" };
    daemon.refuses(&["attachment", "get", &id], &gone);
    let events = daemon.coalmine(&["events", "--json"]).out;
    assert!(events.contains("attachments-swept") && events.contains("700000"), "{events}");
}

#[tokio::test]
async fn stdin_goes_in_and_stdout_takes_it_byte_for_byte() {
    let daemon = daemon().await;
    let bytes = noise(2, 300_000);
    fs::write(daemon.folder().join("in"), &bytes).unwrap();
    let mut put = daemon.command(&["attachment", "put", "-", "--label", "from a pipe"]);
    let put = put.stdin(fs::File::open(daemon.folder().join("in")).unwrap()).output().unwrap();
    let id = String::from_utf8(put.stdout).unwrap();
    assert_eq!(id.trim(), AttachmentId::of(&bytes).to_string());
    let got = daemon.command(&["attachment", "get", id.trim()]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(got.stdout, bytes);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_words_and_leaves_nothing() {
    let daemon = daemon().await;
    let large = daemon.folder().join("large");
    fs::write(&large, noise(3, 1024 * 1024 + 1)).unwrap();
    let large = large.to_str().unwrap();
    let refusal = Refusal { code: "too-large", exit: 2, message: "longer than 1048576 bytes", hint: "bytes_max" };
    daemon.refuses(&["attachment", "put", large], &refusal);
    let mut piped = daemon.command(&["--json", "attachment", "put", "-"]);
    let piped = piped.stdin(fs::File::open(large).unwrap()).output().unwrap();
    assert!(String::from_utf8_lossy(&piped.stderr).contains("too-large"), "{piped:?}");
    let image = daemon.folder().join("words.png");
    fs::write(&image, "no image").unwrap();
    let refusal =
        Refusal { code: "invalid-attachment", exit: 2, message: "the bytes are text/plain", hint: "the bytes say it" };
    daemon.refuses(&["attachment", "put", image.to_str().unwrap(), "--media-type", "image/png"], &refusal);
    for id in ["../../etc/passwd", &"A".repeat(64), &"a".repeat(63), &"a".repeat(65), "%2e%2e"] {
        let refusal = Refusal { code: "bad-attachment-id", exit: 2, message: "no attachment's id", hint: "64 hex" };
        daemon.refuses(&["attachment", "get", id], &refusal);
        daemon.refuses(&["attachment", "forget", id], &refusal);
    }
    assert_eq!(daemon.ask(&["attachment", "list"])["items"], json!([]));
    let staging = daemon.path().join("attachments/staging");
    assert_eq!(fs::read_dir(staging).unwrap().count(), 0);
}

#[tokio::test]
async fn damage_is_told_to_whoever_reads_and_no_half_of_a_file_is_left() {
    let daemon = daemon().await;
    for length in [1_000, 900_000] {
        let bytes = noise(length, usize::try_from(length).unwrap());
        let id = AttachmentId::of(&bytes);
        let file = daemon.folder().join("file");
        fs::write(&file, &bytes).unwrap();
        daemon.coalmine(&["attachment", "put", file.to_str().unwrap()]).tells(&[]);
        let mut damaged = bytes.to_vec();
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        fs::write(blob(daemon.path(), id), damaged).unwrap();
        let out = daemon.folder().join("out");
        let said = daemon.coalmine(&["--json", "attachment", "get", &id.to_string(), "-o", out.to_str().unwrap()]);
        assert_eq!((said.code, said.error()["code"].as_str()), (1, Some("corrupt")), "{said:?}");
        assert!(!out.exists());
        daemon.coalmine(&["attachment", "put", file.to_str().unwrap()]).tells(&[]);
        daemon.coalmine(&["attachment", "get", &id.to_string(), "-o", out.to_str().unwrap()]).tells(&[]);
        fs::remove_file(out).unwrap();
    }
    daemon.coalmine(&["attachment", "verify"]).tells(&["in order: 2 attachments of 901000 bytes"]);
}

#[tokio::test]
async fn bytes_that_are_lost_stay_known_as_lost_until_they_are_put_again() {
    let daemon = daemon().await;
    let bytes = noise(7, 5_000);
    let id = AttachmentId::of(&bytes);
    let file = daemon.folder().join("file");
    fs::write(&file, &bytes).unwrap();
    let (file, name) = (file.to_str().unwrap(), id.to_string());
    let damage = || fs::write(blob(daemon.path(), id), "not these").unwrap();
    let removal = || fs::remove_file(blob(daemon.path(), id)).unwrap();
    for lose in [&damage as &dyn Fn(), &removal] {
        daemon.coalmine(&["attachment", "put", file]).tells(&[]);
        lose();
        daemon.coalmine(&["attachment", "get", &name]);
        for _ in 0..2 {
            let lost = Refusal { code: "lost", exit: 1, message: "are lost", hint: "put the true bytes again" };
            daemon.refuses(&["attachment", "get", &name], &lost);
            daemon.refuses(&["attachment", "stat", &name], &lost);
            let verified = daemon.coalmine(&["attachment", "verify"]);
            assert!(verified.code == 6 && verified.out.contains("its bytes are gone"), "{verified:?}");
            daemon.coalmine(&["attachment", "list"]).tells(&[&name]);
        }
        daemon.coalmine(&["attachment", "put", file]).tells(&[]);
        daemon.coalmine(&["attachment", "verify"]).tells(&["in order: 1 attachment of 5000 bytes"]);
    }
}

#[tokio::test]
async fn only_a_file_is_replaced_by_what_is_read() {
    let daemon = daemon().await;
    let file = daemon.folder().join("file");
    fs::write(&file, "words").unwrap();
    let name = AttachmentId::of(b"words").to_string();
    daemon.coalmine(&["attachment", "put", file.to_str().unwrap()]).tells(&[]);
    let (link, folder) = (daemon.folder().join("link"), daemon.folder().join("folder"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    fs::create_dir(&folder).unwrap();
    for other in [&link, &folder] {
        let refusal = Refusal { code: "not-a-file", exit: 2, message: "no regular file", hint: "name a file" };
        daemon.refuses(&["attachment", "get", &name, "-o", other.to_str().unwrap()], &refusal);
    }
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    daemon.coalmine(&["attachment", "get", &name, "-o", file.to_str().unwrap()]).tells(&["5 bytes written"]);
    let nowhere = daemon.folder().join("nowhere/file");
    let refusal = Refusal { code: "no-folder", exit: 2, message: "there is no folder", hint: "mkdir -p" };
    daemon.refuses(&["attachment", "get", &name, "-o", nowhere.to_str().unwrap()], &refusal);
}

#[tokio::test]
async fn any_http_client_can_put_and_read_a_part() {
    let daemon = daemon().await;
    let socket = daemon.paths().daemon_socket();
    let (status, put) = http::talk(&socket, &http::request("PUT", "/v1/attachments?label=a%20note", b"0123456789"));
    assert_eq!(
        (status, &put["data"]["label"], &put["data"]["media_type"]),
        (200, &json!("a note"), &json!("text/plain"))
    );
    let id = put["data"]["id"].as_str().unwrap();
    let get = |headers: &str| {
        let head = format!("GET /v1/attachments/{id} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        http::answer(&socket, head.as_bytes())
    };
    let whole = get("");
    assert!(whole.starts_with("HTTP/1.1 200") && whole.ends_with("\r\n\r\n0123456789"), "{whole}");
    for header in ["content-type: text/plain", "content-length: 10", "accept-ranges: bytes", &format!("etag: \"{id}\"")]
    {
        assert!(whole.contains(header), "{header} is not in {whole}");
    }
    let part = get("range: bytes=3-5\r\n");
    assert!(part.starts_with("HTTP/1.1 206") && part.ends_with("\r\n\r\n345"), "{part}");
    assert!(part.contains("content-range: bytes 3-5/10"), "{part}");
    let behind = get("range: bytes=10-\r\n");
    assert!(behind.starts_with("HTTP/1.1 416") && behind.contains("content-range: bytes */10"), "{behind}");
    for ignored in ["range: bytes=5-3\r\n", "range: bytes=0-1,3-4\r\n", "range: lines=1-2\r\n"] {
        let whole = get(ignored);
        assert!(whole.starts_with("HTTP/1.1 200") && whole.ends_with("\r\n\r\n0123456789"), "{ignored}: {whole}");
    }
    let of_another = get("range: bytes=3-5\r\nif-range: \"another\"\r\n");
    assert!(of_another.starts_with("HTTP/1.1 200"), "{of_another}");
    assert!(get("range: bytes=-2\r\n").ends_with("\r\n\r\n89"));
    // A body that ends early stores nothing.
    let cut = b"PUT /v1/attachments HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nonly this";
    let mut stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    std::io::Write::write_all(&mut stream, cut).unwrap();
    drop(stream);
    let (_, list) = http::talk(&socket, &http::request("GET", "/v1/attachments", b""));
    assert_eq!(list["data"]["items"].as_array().unwrap().len(), 1);
    // Committed later, and by somebody else not at all.
    let target = "/v1/attachments?session=shell-bob&owner=t1&commit=false";
    let (_, put) = http::talk(&socket, &http::request("PUT", target, b"bob's"));
    let ids = json!([put["data"]["id"]]);
    for (session, status) in [("shell-ann", 404), ("shell-bob", 200)] {
        let body = json!({ "session": session, "owner": "t1", "ids": ids }).to_string();
        let request = http::request("POST", "/v1/attachments/commit", body.as_bytes());
        assert_eq!(http::talk(&socket, &request).0, status);
    }
}

#[tokio::test]
async fn a_bar_is_shown_on_a_terminal_only_and_only_for_what_takes_long() {
    let config = "[attachments]\nbytes_max = \"64M\"\n";
    let daemon = Daemon::on(Root::with(&[("home/.config/coalmine/config.toml", config)])).await;
    for (length, shown) in [(1_000, false), (24 * 1024 * 1024, true)] {
        let file = daemon.folder().join("file");
        fs::write(&file, noise(5, length)).unwrap();
        let piped = daemon.coalmine(&["attachment", "put", file.to_str().unwrap()]);
        assert_eq!(piped.err, "", "no terminal, no bar");
        // script(1) gives it one.
        let call = format!("{} attachment put {}", env!("CARGO_BIN_EXE_coalmine"), file.display());
        let mut script = Command::new("script");
        script.args(["-qec", &call, "/dev/null"]).env_clear().envs(daemon.env()).stdin(Stdio::null());
        let Ok(said) = script.output() else {
            return crate::support::skip("a bar is shown on a terminal", "script(1) is missing");
        };
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        assert_eq!(text.contains("MiB"), shown, "{length}: {text:?}");
        assert!(text.contains(&AttachmentId::of(&fs::read(&file).unwrap()).to_string()));
    }
}
