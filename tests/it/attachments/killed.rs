//! A daemon that is killed in the middle of many puts, and one whose disk is full.

use super::{conformance::noise, disk::files};
use crate::support::{Daemon, PATIENCE, Refusal, Root, eventually, is_root, skip};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::Stdio,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
};

/// Puts at once.
const PUTTERS: u64 = 4;

/// Puts one after the other until told to stop or refused, and says each id that was acknowledged. Few bytes and many.
fn put_until(root: &Root, seed: u64, acknowledged: &Sender<String>, stop: &AtomicBool) {
    for number in 0.. {
        let file = root.folder().join(format!("file{}", seed % PUTTERS));
        let length = if number % 2 == 0 { 3_000 } else { 900_000 };
        fs::write(&file, noise(seed * 1_000 + number, length)).unwrap();
        let mut put = root.command(&["--socket", socket(root).as_str(), "attachment", "put", file.to_str().unwrap()]);
        let said = put.stdin(Stdio::null()).output().unwrap();
        if !said.status.success() {
            return;
        }
        acknowledged.send(String::from_utf8(said.stdout).unwrap().trim().to_owned()).unwrap();
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

fn socket(root: &Root) -> String {
    root.paths().daemon_socket().to_str().unwrap().to_owned()
}

/// The ids of the blobs on disk.
fn blobs(root: &Path) -> BTreeSet<String> {
    let names = files(&root.join("attachments/blobs")).into_iter();
    names.filter(|name| !name.ends_with(".json")).map(|name| name.rsplit('/').next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whenever_a_daemon_is_killed_under_many_puts_what_it_acknowledged_is_there_and_nothing_else_stays() {
    let mut root = Root::new();
    let mut all = BTreeSet::new();
    for round in 0..4 {
        let daemon = Daemon::on(root).await;
        let stop = AtomicBool::new(false);
        let (acknowledged, told) = mpsc::channel();
        let in_the_middle = std::thread::scope(|scope| {
            for putter in 0..PUTTERS {
                let (daemon, acknowledged, stop) = (&*daemon, acknowledged.clone(), &stop);
                scope.spawn(move || put_until(daemon, round * PUTTERS + putter, &acknowledged, stop));
            }
            let before = all.len() as u64;
            all.extend((0..3 + round).map_while(|_| told.recv_timeout(PATIENCE).ok()));
            daemon.signal(Signal::KILL);
            stop.store(true, Ordering::Relaxed);
            all.len() as u64 == before + 3 + round
        });
        drop(acknowledged);
        all.extend(told);
        assert!(in_the_middle, "puts were refused, or took too long: {}", daemon.words());
        let (_, again) = daemon.ended().await;
        let daemon = Daemon::on(again).await;
        for _ in 0..2 {
            assert_eq!(daemon.ask(&["attachment", "gc", "--grace", "0s"])["strange"], json!([]));
        }
        let found = daemon.ask(&["attachment", "verify"]);
        for wrong in ["corrupt", "unreadable", "missing", "unknown"] {
            assert_eq!(found[wrong], json!([]), "round {round}: {found}");
        }
        let there = blobs(daemon.path());
        let lost: Vec<_> = all.difference(&there).collect();
        assert!(lost.is_empty(), "round {round}: {lost:?} were acknowledged and are lost");
        assert_eq!(files(&daemon.path().join("attachments/staging")), Vec::<String>::new());
        // Each putter may have had one that was stored and not acknowledged: committed, or not and then swept.
        assert!(there.len() <= all.len() + usize::try_from((round + 1) * PUTTERS).unwrap());
        daemon.signal(Signal::TERM);
        root = daemon.ended().await.1;
    }
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_a_sweep_makes_room_again() {
    let mut root = Root::at("mounted");
    if !(is_root() && root.mount_tmpfs("size=4m,mode=700")) {
        return skip("a full disk is told to whoever puts", "a small file system can only be mounted by root");
    }
    let daemon = Daemon::on(root).await;
    let put = |seed: u64, length: usize| {
        let file = daemon.folder().join("file");
        fs::write(&file, noise(seed, length)).unwrap();
        daemon.coalmine(&["--json", "attachment", "put", file.to_str().unwrap()])
    };
    let first = put(1, 1_500_000).json()["data"]["id"].as_str().unwrap().to_owned();
    let full = put(2, 3_000_000);
    let error = full.error();
    assert_eq!((full.code, &error["code"]), (1, &json!("io")), "{full:?}");
    assert!(error["message"].as_str().unwrap().contains("No space left"), "{full:?}");
    assert!(error["hint"].as_str().unwrap().contains("free some space"), "{full:?}");
    assert_eq!(files(&daemon.path().join("attachments/staging")), Vec::<String>::new());
    // To the last byte: not even that something goes can be written down.
    let ballast = crate::daemon::disk::fill(daemon.path());
    let few = put(3, 2_000);
    assert!(few.code != 0 && few.error()["message"].as_str().unwrap().contains("No space left"), "{few:?}");
    assert_eq!(blobs(daemon.path()), BTreeSet::from([first.clone()]));
    daemon.coalmine(&["attachment", "verify"]).tells(&["in order: 1 attachment of 1500000 bytes"]);
    let full = Refusal { code: "io", exit: 1, message: "No space left on device", hint: "free some space" };
    daemon.refuses(&["attachment", "forget", &first], &full);
    // A little room is enough to make more.
    let ballast = fs::File::options().write(true).open(ballast).unwrap();
    ballast.set_len(ballast.metadata().unwrap().len() - 128 * 1024).unwrap();
    daemon.coalmine(&["attachment", "forget", &first]).tells(&["1 reference ended"]);
    daemon.coalmine(&["attachment", "gc"]).tells(&["1 attachment of 1500000 bytes removed"]);
    assert_eq!(put(4, 1_000_000).code, 0, "there is room again");
    daemon.coalmine(&["attachment", "verify"]).tells(&["in order: 1 attachment of 1000000 bytes"]);
}

#[tokio::test]
async fn who_reads_while_a_sweep_removes_gets_all_of_it_or_is_told_that_it_is_gone() {
    let daemon = Daemon::start().await;
    let file = daemon.folder().join("file");
    let gone = Refusal { code: "no-attachment", exit: 3, message: "there is no attachment", hint: "attachment list" };
    for round in 0..6 {
        let bytes = noise(round, 3_000_000);
        fs::write(&file, &bytes).unwrap();
        let id = daemon.ask(&["attachment", "put", file.to_str().unwrap()])["id"].as_str().unwrap().to_owned();
        let get = |_| {
            let mut get = daemon.command(&["--json", "attachment", "get", &id]);
            get.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let readers: Vec<_> = (0..3).map(get).collect();
        daemon.coalmine(&["attachment", "forget", &id]).tells(&[]);
        daemon.coalmine(&["attachment", "gc", "--grace", "0s"]).tells(&[]);
        for reader in readers {
            let said = reader.wait_with_output().unwrap();
            if said.status.success() {
                assert_eq!(said.stdout, bytes);
            } else {
                let error: Value = serde_json::from_slice(&said.stderr).unwrap();
                assert_eq!(error["error"]["code"], gone.code, "{error}");
                assert!(said.stdout.is_empty());
            }
        }
        daemon.refuses(&["attachment", "get", &id], &gone);
    }
    eventually("nothing is stored", || async {
        (daemon.ask(&["attachment", "list"])["items"] == json!([])).then_some(())
    })
    .await;
}
