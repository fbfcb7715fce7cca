//! The hooks of a peer's tmux server, by hand and from a real one.

use super::{Guard, Root, helper, stderr, wait_for};
use rustix::process::Signal;
use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

/// A hook of life 7, as if `server` had started it.
fn hook(root: &Root, server: &Guard, args: &[&str]) -> Command {
    let mut hook = helper();
    hook.arg("hook").args(args);
    environment(&mut hook, root);
    hook.env("TMUX", format!("/s,{},0", server.pid()));
    hook
}

fn environment(command: &mut Command, root: &Root) {
    command.env("COALMINE_JOURNAL", root.journal()).env("COALMINE_PEER_DIR", root.peer());
    command.env("PEER_IDENTITY", "claude-bob").env("PEER_GENERATION", "7");
}

#[test]
fn a_session_exit_leaves_one_line_that_says_how() {
    for (args, tail) in [
        (&["pane-died", "%0", "0", ""][..], "dead_status=0 dead_signal= cause=exited"),
        (&["pane-died", "%0", "3", ""], "dead_status=3 dead_signal= cause=exited"),
        (&["pane-died", "%0", "", "15"], "dead_status= dead_signal=15 cause=signaled"),
        (&["session-closed", "$0"], "dead_status= dead_signal= cause=session-killed"),
    ] {
        let (root, server) = (Root::new(), Guard::sleeper());
        for _ in 0..2 {
            let output = hook(&root, &server, args).output().unwrap();
            assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        }
        let [line] = &root.exits()[..] else { panic!("{args:?}: {:?}", root.exits()) };
        let (ts, rest) = line.split_once(' ').unwrap();
        assert!(ts.starts_with("ts=2") && ts.ends_with('Z') && ts.len() == "ts=2026-11-21T01:23:45.678901Z".len());
        assert_eq!(rest, format!("ev=session-exit identity=claude-bob gen=7 {tail}"));
    }
}

#[test]
fn panes_and_sessions_that_a_person_opened_do_not_count() {
    let (root, server) = (Root::new(), Guard::sleeper());
    for args in [&["pane-died", "%1", "0", ""][..], &["session-closed", "$1"]] {
        assert!(hook(&root, &server, args).status().unwrap().success());
    }
    assert!(root.exits().is_empty());
}

#[test]
fn a_claimed_end_leaves_no_line() {
    let (root, server) = (Root::new(), Guard::sleeper());
    root.claim();
    for args in [&["pane-died", "%0", "0", ""][..], &["session-closed", "$0"]] {
        assert!(hook(&root, &server, args).status().unwrap().success());
    }
    assert!(root.exits().is_empty());
}

#[test]
fn a_session_that_closed_because_its_server_ended_is_no_session_exit() {
    let (root, mut server) = (Root::new(), Guard::sleeper());
    let mut command = hook(&root, &server, &["session-closed", "$0"]);
    server.signal(Signal::KILL);
    let mut hook = Guard::of(&mut command);
    assert!(hook.ended().success());
    server.ended();
    assert!(command.status().unwrap().success(), "also when it is gone already");
    assert!(root.exits().is_empty());
}

/// tmux expands the formats, the shell the variable.
const CONF: &str = r#"
set -g remain-on-exit on
set -g exit-empty off
set-hook -g pane-died { run-shell -b "exec \"\$COALMINE_HELPER\" hook pane-died '#{hook_pane}' '#{pane_dead_status}' '#{pane_dead_signal}'" }
set-hook -g session-closed { run-shell -b "exec \"\$COALMINE_HELPER\" hook session-closed '#{hook_session}'" }
"#;

/// A tmux server with the hooks that the fleet's servers have, which ends with its test.
struct Tmux<'a> {
    server: Guard,
    root: &'a Root,
}

impl<'a> Tmux<'a> {
    fn start(root: &'a Root, program: &str) -> Self {
        let conf = root.dir.path().join("conf");
        fs::write(&conf, CONF).unwrap();
        let mut server = Command::new("tmux");
        server.arg("-D").arg("-S").arg(root.dir.path().join("s")).arg("-f").arg(conf).env_clear();
        server.env("COALMINE_HELPER", env!("CARGO_BIN_EXE_coalmine-helper"));
        environment(server.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8").stderr(Stdio::null()), root);
        let tmux = Self { server: Guard::of(&mut server), root };
        wait_for("the socket", || tmux.socket().exists().then_some(()));
        wait_for("the session", || tmux.client(&["new-session", "-d", program]).then_some(()));
        tmux
    }

    fn socket(&self) -> PathBuf {
        self.root.dir.path().join("s")
    }

    fn client(&self, args: &[&str]) -> bool {
        let mut client = Command::new("tmux");
        client.arg("-S").arg(self.socket()).args(args).env_clear().env("PATH", "/usr/bin:/bin");
        client.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    fn exit_line(&self) -> String {
        wait_for("the line", || {
            // tmux 3.3a can miss its child's end under load; the fleet makes it look again, and so does this test.
            self.server.signal(rustix::process::Signal::CHILD);
            self.root.exits().into_iter().next()
        })
    }
}

#[test]
fn a_real_server_tells_how_its_session_ended() {
    for (program, commands, tail) in [
        ("exit 3", &[][..], "dead_status=3 dead_signal= cause=exited"),
        ("kill -9 $$", &[], "dead_status= dead_signal=9 cause=signaled"),
        ("sleep 600", &[&["kill-session"][..]], "dead_status= dead_signal= cause=session-killed"),
        ("sleep 600", &[&["kill-pane"]], "dead_status= dead_signal= cause=session-killed"),
    ] {
        let root = Root::new();
        let tmux = Tmux::start(&root, program);
        for command in commands {
            assert!(tmux.client(command));
        }
        let line = tmux.exit_line();
        assert!(line.ends_with(&format!("gen=7 {tail}")), "{program} {commands:?}: {line}");
    }
}

#[test]
fn an_outsiders_kill_server_is_no_session_exit() {
    let root = Root::new();
    let mut tmux = Tmux::start(&root, "sleep 600");
    assert!(tmux.client(&["kill-server"]));
    tmux.server.ended();
    assert!(root.exits().is_empty(), "{:?}", root.exits());
}
