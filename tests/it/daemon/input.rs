//! Bad input to `create`: each is refused with a code, a message, a hint and an exit code, and leaves nothing.

use crate::support::{Daemon, Refusal, Root, eventually, is_root, names_in, skip};
use std::{os::unix::fs::PermissionsExt, path::Path};

const LONG: &str = "abcdefghijklmnopqrstuvwxyz-0123456";
const NAME: Refusal =
    Refusal { code: "bad-name", exit: 2, message: "personality", hint: "a letter first, at most 32 characters" };
const CWD: Refusal = Refusal { code: "bad-cwd", exit: 2, message: "", hint: "--cwd DIR" };
const COMMAND: Refusal =
    Refusal { code: "bad-command", exit: 2, message: "is not a program that can be run", hint: "in PATH" };

#[tokio::test]
async fn bad_input_to_create_is_refused_and_leaves_nothing() {
    let daemon = Daemon::start().await;
    daemon.sleeper("bob");
    daemon.put("file", "");
    daemon.put("not-executable", "#!/bin/sh\n");
    let file = daemon.folder().join("file").to_str().unwrap().to_owned();
    let text = daemon.folder().join("not-executable").to_str().unwrap().to_owned();
    let run: &[&str] = &["--start", "--", "sleep", "60"];
    let rows: &[(&[&str], Refusal)] = &[
        (&["Bob"], Refusal { message: "does not start with a lower-case letter", ..NAME }),
        (&["bOB"], Refusal { message: "may hold only a-z, 0-9 and dashes", ..NAME }),
        (&["-bob"], Refusal { message: "does not start with a lower-case letter", ..NAME }),
        (&["7bob"], Refusal { message: "does not start with a lower-case letter", ..NAME }),
        (&[""], Refusal { message: "is empty", ..NAME }),
        (&["b b"], Refusal { message: "may hold only", ..NAME }),
        (&["köln"], Refusal { message: "may hold only", ..NAME }),
        (&["../bob"], Refusal { message: "does not start with", ..NAME }),
        (&["b\u{1b}[31m"], Refusal { message: "may hold only", ..NAME }),
        (&[&LONG[..33]], Refusal { message: "is longer than 32 characters", ..NAME }),
        (&["bob", "--cwd", "/"], Refusal { code: "name-taken", exit: 2, message: "bob", hint: "choose another name" }),
        (&["x", "--cwd", "/does/not/exist"], Refusal { message: "/does/not/exist does not exist", ..CWD }),
        (&["x", "--cwd", &file], Refusal { message: "is not a folder", ..CWD }),
        (
            &["x", "--runtime", "nope"],
            Refusal { code: "unknown-runtime", exit: 2, message: "nope is not defined", hint: "[runtime.NAME]" },
        ),
        (&["x", "--runtime", "No"], Refusal { message: "runtime", ..NAME }),
        (
            &["x", "--restart", "sometimes"],
            Refusal { code: "usage", exit: 2, message: "sometimes", hint: "coalmine --help" },
        ),
        (&["x", "--env", "=b"], Refusal { code: "usage", exit: 2, message: "NAME=VALUE", hint: "coalmine --help" }),
    ];
    for (args, refusal) in rows {
        let args = [&["create"], *args, run].concat();
        if refusal.code == "usage" {
            // The command line's own parser speaks to people in its own way.
            let said = daemon.coalmine(&[&["--json"], args.as_slice()].concat());
            assert_eq!((said.code, said.error()["code"].as_str()), (2, Some("usage")), "{said:?}");
            assert!(said.error()["message"].as_str().unwrap().contains(refusal.message), "{said:?}");
        } else {
            daemon.refuses(&args, refusal);
        }
    }
    for program in ["no-such-program", "/no/such/program", "./relative", "/", &text, ""] {
        daemon.refuses(&["create", "x", "--start", "--", program, "60"], &COMMAND);
    }
}

#[tokio::test]
async fn a_peer_without_a_command_wants_a_runtime() {
    // A PATH without agents, also on a machine that has some.
    let root = Root::new();
    let bin = root.folder().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let tmux = std::env::split_paths(&path).map(|folder| folder.join("tmux")).find(|file| file.is_file()).unwrap();
    std::os::unix::fs::symlink(tmux, bin.join("tmux")).unwrap();
    let daemon = Daemon::on(root.env_also("PATH", bin)).await;
    let refusal = Refusal {
        code: "runtime-unclear",
        exit: 2,
        message: "no agent is in PATH (looked for claude, codex)",
        hint: "--runtime NAME, or `-- COMMAND`",
    };
    daemon.refuses(&["create", "x", "--start"], &refusal);
}

#[tokio::test]
async fn unknown_names_are_exit_3_for_every_verb_that_takes_one() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--", "sleep", "60"]);
    let refusal = Refusal { code: "unknown-peer", exit: 3, message: "no peer is named bop", hint: "did you mean bob?" };
    for verb in ["start", "stop", "restart", "reset", "show", "capture", "logs", "deaths"] {
        daemon.refuses(&[verb, "bop"], &refusal);
    }
}

#[tokio::test]
async fn a_program_that_dies_at_birth_is_told_with_its_status_and_the_peer_is_kept() {
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--restart", "never", "--", "/bin/sh", "-c", "echo oh no; exit 3"]);
    let refusal = Refusal { code: "start-failed", exit: 1, message: "exited with status 3", hint: "coalmine logs" };
    // On a loaded machine an end may come too late to be called one at birth; the next one comes in time.
    let (json, human) = eventually("two starts in a row that are told", || async {
        let (json, human) = (daemon.coalmine(&["--json", "start", "bob"]), daemon.coalmine(&["start", "bob"]));
        (json.code != 0 && human.code != 0).then_some((json, human))
    })
    .await;
    refusal.check(&json, &human);
    daemon.coalmine(&["logs", "bob"]).tells(&["oh no"]);
    daemon.until("bob", "at rest", |peer| peer["phase"] == "stopped").await;
}

#[tokio::test]
async fn a_program_that_is_done_at_once_is_no_failure() {
    let daemon = Daemon::start().await;
    daemon.coalmine(&["create", "bob", "--start", "--", "true"]).tells(&["created: shell-bob is "]);
    let bob = daemon.until("bob", "stopped", |peer| peer["phase"] == "stopped").await;
    assert_eq!((&bob["detail"], &bob["deaths_recent"]), (&"its program exited with status 0".into(), &0.into()));
}

#[tokio::test]
async fn a_folder_with_a_command_for_a_name_is_a_folder() {
    let daemon = Daemon::start().await;
    for (name, folder) in [("a", "#(touch x)"), ("b", "$(touch x);"), ("c", "a b'\"\\ü"), ("d", "-d"), ("e", "#{pid}")]
    {
        let cwd = daemon.folder().join(folder);
        std::fs::create_dir(&cwd).unwrap();
        let script = "pwd > here; exec sleep 3600";
        daemon.ask(&["create", name, "--cwd", cwd.to_str().unwrap(), "--start", "--", "/bin/sh", "-c", script]);
        let here = eventually("its folder", || async {
            std::fs::read_to_string(cwd.join("here")).ok().filter(|text| !text.is_empty())
        })
        .await;
        assert_eq!(Path::new(here.trim_end_matches('\n')), cwd);
        assert_eq!(daemon.peer(name)["cwd"], cwd.to_str().unwrap());
    }
    daemon.ask(&["restart", "--all"]);
    for place in [daemon.folder().to_owned(), "/".into(), daemon.home(), daemon.path().join("run")] {
        assert!(!place.join("x").exists(), "{place:?} holds what a folder's name ran");
    }
    assert!(
        daemon
            .ask(&["list"])
            .as_array()
            .unwrap()
            .iter()
            .all(|peer| !Path::new(peer["cwd"].as_str().unwrap()).join("x").exists())
    );
}

#[tokio::test]
async fn hostile_text_in_a_command_is_an_argument_and_nothing_else() {
    let daemon = Daemon::start().await;
    let hostile = ["#(touch x)", "a;", ";", "$(touch x)", "`touch x`", "'", "-N", "", "é\u{1b}[31m"];
    let script = "for arg; do printf '%s\\n' \"$arg\"; done > args; exec sleep 3600";
    let mut args = vec!["create", "bob", "--start", "--", "/bin/sh", "-c", script, "sh"];
    args.extend(hostile);
    daemon.ask(&args);
    let written = eventually("its arguments", || async {
        Some(daemon.read("args")).filter(|text| text.lines().count() == hostile.len())
    })
    .await;
    assert_eq!(written.lines().collect::<Vec<_>>(), hostile);
    assert!(!names_in(daemon.folder()).contains(&"x".to_owned()));
    // What it shows drives nobody's terminal.
    assert!(
        !daemon.coalmine(&["list"]).out.contains('\u{1b}') && !daemon.coalmine(&["show", "bob"]).out.contains('\u{1b}')
    );
}

#[tokio::test]
async fn a_folder_that_may_not_be_entered_is_refused() {
    const CLAIM: &str = "a folder that may not be entered is refused";
    let root = Root::new();
    let closed = root.folder().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).unwrap();
    if is_root() {
        return skip(CLAIM, "root may enter every folder");
    }
    let daemon = Daemon::on(root).await;
    let args = ["create", "x", "--cwd", closed.to_str().unwrap(), "--", "sleep", "60"];
    daemon.refuses(&args, &Refusal { message: "may not be entered", ..CWD });
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
}
