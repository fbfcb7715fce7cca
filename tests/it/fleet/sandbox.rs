//! Peers behind walls, on real tmux, each beside one that is free and does the same.

use crate::support::{Daemon, PATIENCE, Rig, eventually, skip};
use coalmine::{
    actors::{fleet::request::CreatePeer, peer::sandbox::Sandbox, view::PeerView},
    io::sandbox,
};
use std::{collections::BTreeSet, fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path};
use tempfile::TempDir;

/// A project beside something private, and two services of which the policy names one.
struct Yard {
    dir: TempDir,
    granted: TcpListener,
    other: TcpListener,
}

impl Yard {
    fn new(rig: &Rig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["project", "private"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
            fs::write(dir.path().join(folder).join("f"), folder).unwrap();
        }
        let [granted, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let project = dir.path().join("project");
        let policy = format!(
            "[allow]\neffects = [\"fs.read\", \"fs.write\", \"net.connect\"]\n[scope]\nfs_read = [{project:?}]\n\
             fs_write = [{project:?}]\nnet = [\"http://127.0.0.1:{}\"]\n",
            granted.local_addr().unwrap().port()
        );
        let file = rig.fleet.paths().policies().join("strict.toml");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, policy).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        Self { dir, granted, other }
    }

    /// A peer that tries everything and writes down what went through.
    fn peer(&self, rig: &Rig, name: &str, sandbox: Option<Sandbox>) -> CreatePeer {
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let dir = self.dir.path();
        let script = format!(
            r#"
try() {{ label=$1; shift; "$@" > /dev/null 2>&1 && echo "$label" >> report.{name}; }}
connect() {{ exec 3<> /dev/tcp/127.0.0.1/$1; }}
try read-project cat f
try write-project touch new.{name}
try read-private cat {private}
try write-private sh -c 'echo x >> {private}'
try read-state ls {state}
try connect-granted bash -c 'exec 3<> /dev/tcp/127.0.0.1/{granted}'
try connect-other bash -c 'exec 3<> /dev/tcp/127.0.0.1/{other}'
try run-outside tmux -N -S {socket} run-shell true
try signal-daemon kill -0 {daemon}
try operators-socket test -n "$COALMINE_SOCKET"
try own-terminal test -w "$(tty)"
mv report.{name} done.{name}
exec sleep 3600
"#,
            private = dir.join("private/f").display(),
            state = rig.root().display(),
            granted = port(&self.granted),
            other = port(&self.other),
            socket = rig.root().join(format!("run/shell-{name}.sock")).display(),
            daemon = std::process::id(),
        );
        CreatePeer {
            cwd: dir.join("project"),
            command: vec!["bash".into(), "-c".into(), script],
            policy: Some("strict".into()),
            sandbox,
            ..rig.script(name, "")
        }
    }

    async fn report(&self, name: &str) -> BTreeSet<String> {
        let path = self.dir.path().join(format!("project/done.{name}"));
        let text = eventually("the report", || async { fs::read_to_string(&path).ok() }).await;
        text.lines().map(str::to_owned).collect()
    }
}

fn told(view: &PeerView) -> String {
    view.sandbox.to_string()
}

const EVERYTHING: [&str; 11] = [
    "read-project",
    "write-project",
    "read-private",
    "write-private",
    "read-state",
    "connect-granted",
    "connect-other",
    "run-outside",
    "signal-daemon",
    "operators-socket",
    "own-terminal",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_behind_walls_reaches_what_its_policy_says_and_one_that_is_free_reaches_all() {
    let claim = "a peer behind walls reaches what its policy says";
    match sandbox::abi() {
        // Ports since 4, signals since 6.
        Some(6..) if Path::new("/usr/bin/bash").exists() => {}
        Some(6..) => return skip(claim, "there is no bash"),
        abi => return skip(claim, &format!("Landlock here is {abi:?}; 6 is needed")),
    }
    let rig = Rig::new().await;
    let yard = Yard::new(&rig);
    let free = rig.fleet.create(yard.peer(&rig, "free", None)).await.unwrap().peer;
    assert_eq!(told(&free), "none: not asked for");
    assert_eq!(yard.report("free").await, EVERYTHING.map(str::to_owned).into());
    let held = rig.fleet.create(yard.peer(&rig, "held", Some(Sandbox::Required))).await.unwrap().peer;
    assert_eq!(told(&held), sandbox::name_of(sandbox::abi()));
    let reached = ["read-project", "write-project", "connect-granted", "own-terminal"];
    assert_eq!(yard.report("held").await, reached.map(str::to_owned).into());
    // Its next life is free; what is told of the present one stays true.
    let changed = rig.fleet.create(yard.peer(&rig, "held", Some(Sandbox::Off))).await.unwrap();
    assert!(changed.changed.contains(&"sandbox".to_owned()) && changed.from_next_life, "{:?}", changed.changed);
    rig.until("held", "told of both", |view| told(view).ends_with("; none from its next life")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_whose_policy_is_gone_does_not_start_free() {
    if sandbox::abi().is_none() {
        return skip("a peer whose policy is gone does not start free", "this kernel has no Landlock");
    }
    let rig = Rig::new().await;
    let yard = Yard::new(&rig);
    let request = CreatePeer { start: false, ..yard.peer(&rig, "bob", Some(Sandbox::BestEffort)) };
    rig.fleet.create(request).await.unwrap();
    fs::remove_file(rig.fleet.paths().policies().join("strict.toml")).unwrap();
    let refused = rig.fleet.start("bob", PATIENCE).await.unwrap_err();
    assert!(refused.chain().contains("strict"), "{}", refused.chain());
    assert!(!yard.dir.path().join("project/done.bob").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_is_asked_for_and_told_at_the_command_line() {
    let daemon = Daemon::start().await;
    let file = daemon.path().join("policies/strict.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "[allow]\neffects = []\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let sleeper = ["--policy", "strict", "--start", "--", "/bin/sleep", "3600"];
    let bob = daemon.ask(&[&["create", "bob", "--sandbox=best-effort"], &sleeper[..]].concat());
    let held_by = sandbox::name_of(sandbox::abi());
    assert_eq!(bob["peer"]["sandbox"]["held_by"], held_by, "{bob}");
    let card = daemon.coalmine(&["show", "bob"]).out;
    assert!(card.lines().any(|line| line.contains("sandbox") && line.contains(&held_by)), "{card}");
    let free = daemon.sleeper("free");
    assert_eq!(free["sandbox"], serde_json::json!({ "held_by": "none", "why": "not asked for" }));
    let refused = daemon.coalmine(&["create", "eve", "--sandbox=maybe"]);
    assert!(refused.code == 2 && refused.err.contains("required, best-effort or off"), "{refused:?}");
    if sandbox::abi().is_some() {
        // The flag alone is the strict one.
        let dora = daemon.ask(&[&["create", "dora", "--sandbox"], &sleeper[..]].concat());
        assert_eq!(dora["peer"]["sandbox"], serde_json::json!({ "held_by": held_by }));
    }
}
