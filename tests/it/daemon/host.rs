//! What the host may lack: tmux, a tmux that is new enough, the helper, the right helper, a short path.

use crate::support::{Daemon, Refusal, Root, helper, names_in};
use std::{os::unix::fs::PermissionsExt, path::Path};

fn program(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A root whose PATH holds only these programs.
fn with_path(programs: &[(&str, &str)]) -> Root {
    let root = Root::new();
    let bin = root.folder().join("bin");
    std::fs::create_dir(&bin).unwrap();
    programs.iter().for_each(|(name, text)| program(&bin.join(name), text));
    root.env_also("PATH", bin)
}

/// Neither in the foreground nor in the background does a daemon start, and nothing of one is left.
#[track_caller]
fn no_daemon_starts(root: &Root, refusal: &Refusal) {
    refusal.check(&root.coalmine(&["--json", "daemon"]), &root.coalmine(&["daemon"]));
    let said = root.coalmine(&["create", "bob", "--start", "--", "/bin/sleep", "60"]);
    assert_eq!((said.code, said.out.as_str()), (refusal.exit, ""), "{said:?}");
    assert!(said.err.contains(refusal.message) && said.err.contains(refusal.hint), "{said:?}");
    assert!(!root.path().join("run/daemon.sock").exists() && !root.path().join("fleet.json").exists());
    assert!(names_in(&root.path().join("peers")).is_empty());
}

#[test]
fn without_tmux_the_daemon_says_how_to_install_it() {
    let root = with_path(&[]);
    let refusal =
        Refusal { code: "tmux-missing", exit: 1, message: "tmux is not installed", hint: "apt-get install tmux" };
    no_daemon_starts(&root, &refusal);
    let said = root.coalmine(&["doctor"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.out.contains("bad   tmux: tmux is not installed\n      run: "), "{said:?}");
}

#[test]
fn a_tmux_that_is_too_old_is_refused_by_its_version() {
    let root = with_path(&[("tmux", "#!/bin/sh\necho tmux 3.1c\n")]);
    let refusal = Refusal { code: "tmux-too-old", exit: 1, message: "3.1c", hint: "newer tmux" };
    no_daemon_starts(&root, &refusal);
    let said = root.coalmine(&["doctor"]);
    assert_eq!(said.code, 6, "{said:?}");
    assert!(said.out.contains("too old: 3.2 or later is needed"), "{said:?}");
}

/// The program alone in a folder, run from there.
struct Alone {
    root: Root,
}

impl Alone {
    fn new() -> Self {
        let root = Root::new().env_also("PATH", "/usr/bin:/bin");
        let program = root.folder().join("alone/coalmine");
        std::fs::create_dir(program.parent().unwrap()).unwrap();
        let built = Path::new(env!("CARGO_BIN_EXE_coalmine"));
        // A link to the file itself, so that the program finds itself in the new folder.
        if std::fs::hard_link(built, &program).is_err() {
            std::fs::copy(built, &program).unwrap();
        }
        Self { root }
    }

    fn coalmine(&self, args: &[&str]) -> crate::support::Said {
        let mut command = std::process::Command::new(self.root.folder().join("alone/coalmine"));
        command.env_clear().envs(self.root.env()).args(args);
        crate::support::Said::of(&mut command)
    }

    fn refuses(&self, refusal: &Refusal) {
        refusal.check(&self.coalmine(&["--json", "daemon"]), &self.coalmine(&["daemon"]));
        let said = self.coalmine(&["doctor"]);
        assert_eq!(said.code, 6, "{said:?}");
        assert!(said.out.contains(&format!("bad   helper: {}", refusal.message)), "{said:?}");
        assert!(!self.root.path().join("fleet.json").exists());
    }
}

#[test]
fn without_the_helper_the_daemon_says_where_it_looked() {
    let alone = Alone::new();
    alone.refuses(&Refusal {
        code: "helper-missing",
        exit: 1,
        message: "coalmine-helper was not found",
        hint: "alone/coalmine-helper",
    });
}

#[test]
fn who_starts_a_daemon_that_can_not_start_is_given_its_error() {
    let alone = Alone::new();
    for verb in [&["up", "-d"][..], &["create", "bob", "--", "sleep", "60"]] {
        let said = alone.coalmine(&[&["--json"], verb].concat());
        assert_eq!((said.code, &said.error()["code"]), (1, &serde_json::json!("helper-missing")), "{verb:?}: {said:?}");
        assert!(said.error()["hint"].as_str().unwrap().contains("alone/coalmine-helper"), "{said:?}");
    }
    assert!(alone.root.read("daemon.log").contains("coalmine-helper was not found"));
}

#[test]
fn a_helper_that_hangs_is_given_up_and_the_root_let_go() {
    let alone = Alone::new();
    program(&alone.root.folder().join("alone/coalmine-helper"), "#!/bin/sh\nexec sleep 3600\n");
    for _twice in 0..2 {
        let said = alone.coalmine(&["--json", "up", "-d"]);
        assert_eq!((said.code, &said.error()["code"]), (1, &serde_json::json!("program-silent")), "{said:?}");
        assert!(said.error()["message"].as_str().unwrap().contains("alone/coalmine-helper"), "{said:?}");
    }
}

#[test]
fn a_helper_of_another_version_is_refused() {
    let alone = Alone::new();
    program(&alone.root.folder().join("alone/coalmine-helper"), "#!/bin/sh\necho coalmine-helper 0.0.7\n");
    alone.refuses(&Refusal {
        code: "helper-version",
        exit: 1,
        message: "coalmine-helper at ",
        hint: "from the same build",
    });
    let said = alone.coalmine(&["daemon"]);
    assert!(said.err.contains("has version 0.0.7, not "), "{said:?}");
    // The right one in PATH does not help one that is wrong beside the program.
    assert!(helper().exists());
}

#[tokio::test]
async fn a_root_too_deep_for_sockets_keeps_them_in_a_short_place() {
    let daemon = Daemon::on(Root::at("deep/".repeat(30))).await;
    let longest = "a".repeat(32);
    let bob = daemon.sleeper(&longest);
    assert_eq!(bob["phase"], "up");
    let short = daemon.paths().short_run().to_owned();
    assert!(short.starts_with("/tmp") && !short.starts_with(daemon.folder()), "{short:?}");
    assert_eq!(names_in(&short), ["daemon.sock".into(), format!("shell-{longest}.sock")]);
    for folder in [short.as_path(), short.parent().unwrap()] {
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
    }
    daemon.coalmine(&["doctor"]).tells(&["too long there lie in", short.to_str().unwrap()]);
    daemon.coalmine(&["capture", &longest]).tells(&[]);
    daemon.coalmine(&["down"]).tells(&["1 peer still runs"]);
    let (_, root) = daemon.ended().await;
    assert_eq!(names_in(&short), [format!("shell-{longest}.sock")]);
    root.coalmine(&["up", "-d"]);
    root.coalmine(&["down", "--all"]).tells(&["and 1 peer with it"]);
    assert!(!short.exists(), "{:?}", names_in(&short));
}
