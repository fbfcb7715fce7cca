//! `attach`, in a real terminal: a pane of another tmux server, the test's own.

use crate::support::{Daemon, eventually};
use std::{path::PathBuf, process::Command};
use tempfile::TempDir;

/// Runs its arguments and writes how they ended where the screen shows it. That tmux notices the end itself can not be
/// relied on: 3.3a misses a SIGCHLD now and then, and never learns of it.
const TELL_STATUS: &str = "\"$@\"; echo \"ended with $?\"; exec sleep 3600";

/// A terminal that runs one command, and shows how it ended.
struct Terminal {
    socket: PathBuf,
    _folder: TempDir,
}

impl Terminal {
    fn with(daemon: &Daemon, args: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("cmtty").tempdir().unwrap();
        let this = Self { socket: folder.path().join("s"), _folder: folder };
        let conf = this._folder.path().join("conf");
        std::fs::write(&conf, "set -g status off\n").unwrap();
        let mut command = this.tmux();
        command.arg("-f").arg(conf).args(["new-session", "-d", "-x", "100", "-y", "30", "env", "-i"]);
        let entry = |(name, value): (&str, std::ffi::OsString)| format!("{name}={}", value.to_str().unwrap());
        command.args(daemon.env().into_iter().map(entry)).args(["/bin/sh", "-c", TELL_STATUS, "sh"]);
        command.arg(env!("CARGO_BIN_EXE_coalmine")).args(args);
        assert!(command.status().unwrap().success());
        this
    }

    fn tmux(&self) -> Command {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).env_remove("TMUX");
        command
    }

    fn ask(&self, args: &[&str]) -> String {
        String::from_utf8(self.tmux().args(args).output().unwrap().stdout).unwrap()
    }

    async fn shows(&self, words: &str) {
        eventually(&format!("{words:?} on the screen"), || async {
            self.ask(&["capture-pane", "-p", "-S", "-"]).contains(words).then_some(())
        })
        .await;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux().arg("kill-server").output();
    }
}

#[tokio::test]
async fn attach_shows_the_peers_screen_and_how_to_leave_it() {
    let daemon = Daemon::start().await;
    let bob = daemon.script("bob", "echo here is bob; read line; echo heard $line; exec sleep 3600");
    let terminal = Terminal::with(&daemon, &["attach", "bob"]);
    terminal.shows("here is bob").await;
    terminal.shows("leave with Ctrl-b d").await;
    terminal.ask(&["send-keys", "hello", "Enter"]);
    terminal.shows("heard hello").await;
    terminal.ask(&["send-keys", "C-b", "d"]);
    terminal.shows("ended with 0").await;
    let after = daemon.peer("bob");
    assert_eq!((&after["phase"], &after["server_pid"], &after["gen"]), (&"up".into(), &bob["server_pid"], &1.into()));
}

#[tokio::test]
async fn attach_wakes_what_rests() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--", "/bin/sh", "-c", "echo woken; exec sleep 3600"]);
    let terminal = Terminal::with(&daemon, &["attach", "shell-bob"]);
    terminal.shows("woken").await;
    assert_eq!(daemon.peer("bob")["phase"], "up");
}

#[tokio::test]
async fn attach_to_nobody_is_told_in_the_terminal() {
    let daemon = Daemon::start().await;
    let terminal = Terminal::with(&daemon, &["attach", "nobody"]);
    terminal.shows("no peer is named nobody").await;
    terminal.shows("ended with 3").await;
}

#[tokio::test]
async fn attach_outside_a_terminal_is_wrong_usage() {
    let daemon = Daemon::start().await;
    daemon.sleeper("bob");
    let said = daemon.coalmine(&["attach", "bob"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("attach needs a terminal") && said.err.contains("coalmine capture bob"), "{said:?}");
}
