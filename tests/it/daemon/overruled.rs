//! Requests that come at once: whoever is overruled hears so at once, and a fleet that ends begins nothing more.

use crate::support::{Daemon, Said, eventually, is_root, skip};
use serde_json::Value;
use std::{
    process::{Child, Stdio},
    time::Duration,
};
use tokio::time::Instant;

/// Well below the 30 s that a request waits for what it asked for.
const AT_ONCE: Duration = Duration::from_secs(20);

fn spawned(daemon: &Daemon, args: &[&str]) -> Child {
    daemon.command(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn said(child: Child) -> Said {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

#[tokio::test]
async fn stops_and_starts_at_once_all_end_soon_and_none_says_what_is_not_so() {
    let daemon = Daemon::start().await;
    daemon.sleeper("bob");
    let since = Instant::now();
    let asked: Vec<_> =
        (0..12).map(|n| spawned(&daemon, &[["stop", "start"][n % 2], "bob", "--timeout", "40s"])).collect();
    for (n, child) in asked.into_iter().enumerate() {
        let (said, other) = (said(child), ["start", "stop"][n % 2]);
        let overruled = format!("was overruled by a {other}");
        assert!(said.code == 0 || (said.code == 75 && said.err.contains(&overruled)), "{said:?}");
        // A start that a stop overtook is no success.
        assert!(n % 2 == 0 || !said.out.contains("stopped"), "{said:?}");
    }
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
}

#[tokio::test]
async fn a_fleet_that_ends_with_its_peers_begins_no_more_of_them() {
    let daemon = Daemon::start().await;
    let names: Vec<_> = (0..12).map(|n| format!("n{n}")).collect();
    let create = |name: &String| spawned(&daemon, &["create", name, "--start", "--no-daemon", "--", "sleep", "3600"]);
    let creators: Vec<_> = names.iter().map(create).collect();
    eventually("one is up", || async {
        let peers = daemon.ask(&["list"]);
        peers.as_array().unwrap().iter().any(|peer| peer["phase"] == "up").then_some(())
    })
    .await;
    daemon.coalmine(&["down", "--all"]).tells(&["the daemon has ended, and "]);
    for creator in creators {
        let said = said(creator);
        let refused = ["shutting down", "hung up", "no daemon answers"].iter().any(|why| said.err.contains(why));
        assert!(said.code == 0 || (said.code == 69 && refused), "{said:?}");
    }
    let (status, root) = daemon.ended().await;
    assert!(status.success(), "{status}");
    let peers: Value = root.ask(&["list"]);
    let live: Vec<_> = peers.as_array().unwrap().iter().filter(|peer| !peer["server_pid"].is_null()).collect();
    assert!(live.is_empty(), "{live:?}");
}

#[tokio::test]
async fn a_stop_on_a_full_disk_is_refused_at_once_with_the_reason() {
    const CLAIM: &str = "a stop on a full disk is refused at once";
    let mut root = crate::support::Root::at("mounted");
    if !(is_root() && root.mount_tmpfs("size=1m,mode=700")) {
        return skip(CLAIM, "a small file system can only be mounted by root");
    }
    let daemon = Daemon::on(root).await;
    let bob = daemon.sleeper("bob");
    let ballast = super::disk::fill(daemon.path());
    let since = Instant::now();
    for verb in ["stop", "restart"] {
        let refused = daemon.coalmine(&["--json", verb, "bob"]);
        assert_eq!((refused.code, refused.error()["code"].as_str()), (1, Some("io")), "{refused:?}");
        assert!(refused.error()["message"].as_str().unwrap().contains("No space left on device"), "{refused:?}");
    }
    assert!(since.elapsed() < AT_ONCE, "{:?}", since.elapsed());
    assert_eq!((&daemon.peer("bob")["server_pid"], &daemon.peer("bob")["phase"]), (&bob["server_pid"], &"up".into()));
    std::fs::remove_file(ballast).unwrap();
    daemon.coalmine(&["stop", "bob"]).tells(&["shell-bob is stopped ("]);
}
