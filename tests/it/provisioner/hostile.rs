//! What a careless or hostile hand does to the memory provider: a flood of births, declarations that are none, a
//! provider that is replaced while it runs, a daemon that is killed under a sweep.

use super::{House, declare, program};
use crate::support::{Daemon, Said, alive, eventually, http, names_in};
use rustix::process::Signal;
use serde_json::json;
use std::{fs, os::unix::fs::symlink};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_births_calls_the_provider_once_each_and_four_at_once_at_most() {
    // Who runs has a folder, so that it can be counted how many do.
    let script = "mkdir -p runs most; mkdir runs/$$; n=$(ls runs | wc -l); : >most/$n; sleep 0.05; rmdir runs/$$";
    let house = House::new(script).await;
    house.declare_both();
    let socket = house.paths().daemon_socket();
    let folder = house.folder().to_owned();
    let births: Vec<_> = (0..24)
        .map(|number| {
            let body = json!({ "name": format!("p{number}"), "runtime": "agent", "cwd": folder }).to_string();
            let socket = socket.clone();
            tokio::task::spawn_blocking(move || {
                http::talk(&socket, &http::request("POST", "/v1/peers?wait_ms=60000", body.as_bytes()))
            })
        })
        .collect();
    // Meanwhile the daemon answers others.
    house.coalmine(&["status"]).tells(&["mem 1.2.0"]);
    for birth in births {
        let (status, born) = birth.await.unwrap();
        assert_eq!((status, &born["data"]["provision"][0]["state"]), (200, &json!("ok")), "{born}");
    }
    assert_eq!(house.calls().len(), 24);
    let most = fs::read_dir(house.folder().join("most")).unwrap();
    let most = most.map(|entry| entry.unwrap().file_name().to_str().unwrap().parse::<usize>().unwrap()).max();
    assert!(most.is_some_and(|most| most <= 4), "{most:?} ran at once");
    assert_eq!(house.ask(&["list"]).as_array().unwrap().len(), 24);
}

#[tokio::test]
async fn a_declaration_that_is_none_is_an_empty_slot_with_the_reason_and_nobody_is_refused() {
    let house = House::new("").await;
    let slot = house.path().join("memory-provider.json");
    let good = json!({ "provider": "mem", "package": "mem-package", "version": "1.2.0" }).to_string();
    let with_mark = [b"\xef\xbb\xbf", good.as_bytes()].concat();
    let large = vec![b' '; 2 * 1024 * 1024];
    let files: [(&[u8], &str); 4] = [
        (&with_mark, "it begins with a byte order mark"),
        (&large, "it has 2097152 bytes; 1048576 are the limit"),
        (b"\x00\x01\x02", "it is not JSON"),
        (&good.as_bytes()[..20], "it is not JSON"),
    ];
    for (number, (bytes, why)) in files.into_iter().enumerate() {
        fs::write(&slot, bytes).unwrap();
        house.coalmine(&["status"]).tells(&["none", why]);
        assert!(house.coalmine(&["doctor"]).out.contains(why), "{why}");
        house.make(&format!("p{number}"));
    }
    fs::remove_file(&slot).unwrap();
    symlink(house.folder().join("nowhere"), &slot).unwrap();
    house.coalmine(&["status"]).tells(&["none", "it is a link to nothing"]);
    fs::remove_file(&slot).unwrap();
    fs::create_dir(&slot).unwrap();
    house.coalmine(&["status"]).tells(&["none", "it is not a regular file"]);
    fs::remove_dir(&slot).unwrap();
    // A link to a declaration is one: where the provider keeps it is its own affair.
    house.put("elsewhere.json", &good);
    symlink(house.folder().join("elsewhere.json"), &slot).unwrap();
    house.coalmine(&["status"]).tells(&["mem 1.2.0"]);
}

#[tokio::test]
async fn a_provider_that_is_replaced_while_it_runs_ends_as_it_began_and_the_next_peer_gets_the_new_one() {
    let house = House::new("touch began; while ! test -e go; do sleep 0.02; done; echo the old one >&2").await;
    house.declare_both();
    let command = house.command(&["--json", "create", "ann", "--runtime", "agent"]);
    let making = tokio::task::spawn_blocking(move || Said::of(&mut { command }));
    eventually("the old one runs", || async { house.folder().join("began").exists().then_some(()) }).await;
    let other = house.folder().join("other");
    program(&other, "#!/bin/sh\necho the new one >&2\n");
    declare(&house, json!({ "provision": { "command": other, "args": [] } }));
    let bob = house.make("bob");
    assert_eq!(bob["provision"][0]["detail"], "the new one");
    house.put("go", "");
    let ann = making.await.unwrap().json();
    assert_eq!(ann["data"]["provision"][0]["detail"], "the old one");
}

#[tokio::test]
async fn a_sweep_of_nobody_says_what_to_do() {
    let house = House::new("").await;
    house.declare_both();
    house.coalmine(&["memory-plugin", "on", "--all"]).tells(&["there are no peers yet", "coalmine create NAME"]);
}

#[tokio::test]
async fn a_daemon_that_is_killed_under_a_sweep_leaves_peers_that_can_be_swept_again() {
    let script = "test -e go || { echo $$ >pid.new; mv pid.new pid; setsid sleep 3600 & exec sleep 3600; }";
    let house = House::with("[provision]\nparallel = 1", script).await;
    for name in ["ann", "bob"] {
        house.make(name);
    }
    house.declare_both();
    let command = house.command(&["memory-plugin", "on", "--all"]);
    let sweeping = tokio::task::spawn_blocking(move || Said::of(&mut { command }));
    let file = house.folder().join("pid");
    let pid = eventually("the provider runs", || async { fs::read_to_string(&file).ok()?.trim().parse().ok() }).await;
    house.signal(Signal::KILL);
    let (_, root) = house.daemon.ended().await;
    assert_ne!(sweeping.await.unwrap().code, 0);
    assert!(alive(pid), "nobody has ended it");
    let daemon = Daemon::on(root).await;
    assert!(!alive(pid), "the next daemon has, before it answers");
    assert_eq!(names_in(&daemon.path().join("run")).iter().filter(|name| name.contains("provision")).count(), 0);
    daemon.put("go", "");
    daemon.coalmine(&["memory-plugin", "on", "--all"]).tells(&["ann  agent:ok", "bob  agent:ok", "2 of 2"]);
}
