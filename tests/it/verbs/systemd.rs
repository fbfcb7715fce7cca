//! The service manager: what the daemon tells it, the socket that it passes, the units that are written for it.

use crate::support::{Daemon, Refusal, Root, names_in};
use std::{
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::{UnixDatagram, UnixListener},
    },
    process::{Command, Stdio},
    time::Duration,
};

/// The manager's end: what it was told, word for word, until `word` came.
fn told_until(manager: &UnixDatagram, word: &str) -> Vec<String> {
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut told = Vec::new();
    loop {
        let mut bytes = [0; 4096];
        let length = manager.recv(&mut bytes).unwrap_or_else(|error| panic!("{error}; so far {told:?}"));
        let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
        told.extend(text.lines().map(ToOwned::to_owned));
        if told.iter().any(|line| line == word) {
            return told;
        }
    }
}

#[tokio::test]
async fn the_manager_hears_when_the_fleet_is_ready_alive_reloading_and_stopping() {
    let root = Root::new();
    let socket = root.folder().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let daemon = Daemon::on(root.env_also("NOTIFY_SOCKET", &socket).env_also("WATCHDOG_USEC", "200000")).await;
    let ready = told_until(&manager, "READY=1");
    assert_eq!(ready, ["READY=1", &format!("STATUS=serves 0 peers in {}", daemon.path().display())]);
    told_until(&manager, "WATCHDOG=1");
    daemon.signal(rustix::process::Signal::HUP);
    told_until(&manager, "RELOADING=1");
    told_until(&manager, "READY=1");
    daemon.ask(&["down"]);
    assert!(told_until(&manager, "STOPPING=1").contains(&"STATUS=the peers run on".to_owned()));
}

#[tokio::test]
async fn without_a_watchdog_the_manager_is_told_nothing_in_between() {
    let root = Root::new();
    let socket = root.folder().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    let daemon = Daemon::on(root.env_also("NOTIFY_SOCKET", &socket)).await;
    daemon.ask(&["down"]);
    let told = told_until(&manager, "STOPPING=1");
    assert!(!told.contains(&"WATCHDOG=1".to_owned()), "{told:?}");
}

/// As a manager passes a socket: as descriptor 3, with LISTEN_PID naming the very process.
fn activated() -> Command {
    let mut command = Command::new("/bin/sh");
    let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\" daemon";
    command.args(["-c", script, env!("CARGO_BIN_EXE_coalmine")]);
    command
}

fn private(folder: &std::path::Path) {
    std::fs::create_dir(folder).unwrap();
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).unwrap();
}

#[tokio::test]
async fn a_socket_that_was_passed_is_served_and_left_for_the_next_daemon() {
    let root = Root::at("state");
    private(root.path());
    private(&root.path().join("run"));
    let path = root.paths().daemon_socket();
    let listener = UnixListener::bind(&path).unwrap();
    let inode = path.metadata().unwrap().ino();
    let daemon =
        Daemon::run_with(root, activated(), Stdio::from(std::os::fd::OwnedFd::from(listener.try_clone().unwrap())))
            .await;
    daemon.sleeper("bob");
    assert_eq!(path.metadata().unwrap().ino(), inode, "it was bound anew");
    daemon.ask(&["down"]);
    let (_, root) = daemon.ended().await;
    assert_eq!(path.metadata().unwrap().ino(), inode, "it was taken away");
    let daemon = Daemon::run_with(root, activated(), Stdio::from(std::os::fd::OwnedFd::from(listener))).await;
    assert_eq!(daemon.peer("bob")["gen"], 1);
}

#[test]
fn a_socket_in_another_place_is_refused_with_the_place_that_is_meant() {
    let root = Root::at("state");
    private(root.path());
    let listener = UnixListener::bind(root.folder().join("elsewhere")).unwrap();
    let mut command = activated();
    command.env_clear().envs(root.env()).stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)));
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(said.contains("passed the socket") && said.contains("ListenStream="), "{said}");
}

#[test]
fn the_units_are_printed_written_once_and_replaced_only_where_they_are_ours() {
    let root = Root::new();
    let units = root.home().join(".config/systemd/user");
    root.coalmine(&["install", "--user", "--activate", "--dry-run"]).tells(&[
        "coalmine.service (would be created)",
        "Type=notify",
        "KillMode=process",
        "OOMPolicy=continue",
        "coalmine.socket (would be created)",
        "systemctl --user enable --now coalmine.socket",
        "loginctl enable-linger",
    ]);
    assert!(!units.exists(), "a dry run writes nothing");
    let made = root.ask(&["install", "--user"]);
    assert_eq!(
        (made["files"][0]["change"].as_str(), names_in(&units)),
        (Some("created"), vec!["coalmine.service".to_owned()])
    );
    let text = std::fs::read_to_string(units.join("coalmine.service")).unwrap();
    assert!(text.contains(&format!("--root \"{}\" daemon", root.path().display())), "{text}");
    assert_eq!(root.ask(&["install", "--user"])["files"][0]["change"], "unchanged");
    std::fs::write(units.join("coalmine.service"), text.replace("RestartSec=1", "RestartSec=9")).unwrap();
    assert_eq!(root.ask(&["install", "--user"])["files"][0]["change"], "replaced");
    std::fs::write(units.join("coalmine.socket"), "[Socket]\n").unwrap();
    std::fs::write(units.join("coalmine.service"), text.replace("RestartSec=1", "RestartSec=9")).unwrap();
    let refusal =
        Refusal { code: "not-ours", exit: 4, message: "coalmine.socket was not written by", hint: "--name NAME" };
    let call = ["install", "--user", "--activate"];
    refusal.check(&root.coalmine(&[&["--json"], &call[..]].concat()), &root.coalmine(&call));
    let service = std::fs::read_to_string(units.join("coalmine.service")).unwrap();
    assert!(service.contains("RestartSec=9"), "one of two was written");
    assert_eq!(root.coalmine(&["install", "--name", "../x"]).code, 2);
}

#[test]
fn systemd_takes_the_units() {
    let root = Root::at("a b%$c");
    let units = root.home().join(".config/systemd/user");
    root.ask(&["install", "--user", "--activate"]);
    let verify = Command::new("systemd-analyze")
        .args(["verify", "--user", "--recursive-errors=no"])
        .arg(units.join("coalmine.service"))
        .output();
    let Ok(verified) = verify else {
        return crate::support::skip("systemd takes the units", "systemd-analyze is not installed");
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(!said.contains("coalmine."), "{said}");
}
