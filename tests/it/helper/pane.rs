//! The pane entry: the peer's program gets its own environment and nobody else's.

use super::{Root, helper, stderr, stdout};
use std::{fs, path::PathBuf};

fn order(root: &Root, entries: &[&str]) -> PathBuf {
    let file = root.peer().join("pane");
    fs::write(&file, entries.iter().flat_map(|entry| [entry, "\0"]).collect::<String>()).unwrap();
    file
}

#[test]
fn the_program_gets_its_own_environment_and_no_foreign_one() {
    let root = Root::new();
    let cwd = root.dir.path().canonicalize().unwrap();
    let file = order(
        &root,
        &[
            &format!("cwd={}", cwd.display()),
            "env=PEER_IDENTITY=claude-bob",
            "env=CODEX_MODEL=mine=1",
            "env=PATH=/bin:/usr/bin",
            "arg=sh",
            "arg=-c",
            "arg=pwd; env; echo \"$1\"",
            "arg=sh",
            "arg=#(touch x); $(y)\n",
        ],
    );
    let mut pane = helper();
    pane.arg("pane").arg(file).env("TMUX", "/s,1,0").env("TMUX_PANE", "%0").env("PATH", "/nowhere").env("LANG", "C");
    for foreign in ["COALMINE_HELPER", "COALMINE_JOURNAL", "COALMINE_PEER_DIR", "COALMINE_PANE_LOG"] {
        pane.env(foreign, "x");
    }
    for foreign in ["CLAUDE_CODE_SSE_PORT", "CODEX_HOME", "PEER_GENERATION"] {
        pane.env(foreign, "x");
    }
    let output = pane.output().unwrap();
    let text = stdout(&output);
    assert!(text.starts_with(&format!("{}\n", cwd.display())), "{text}{}", stderr(&output));
    assert!(text.ends_with("#(touch x); $(y)\n\n"), "{text}");
    let mut variables: Vec<&str> = text.lines().skip(1).filter(|line| line.contains('=')).collect();
    variables.retain(|line| !line.starts_with("PWD=") && !line.starts_with("OLDPWD=") && !line.starts_with("_="));
    variables.sort_unstable();
    assert_eq!(variables, ["CODEX_MODEL=mine=1", "LANG=C", "PATH=/bin:/usr/bin", "PEER_IDENTITY=claude-bob"]);
}

#[test]
fn a_program_that_can_not_start_says_why_with_the_status_of_a_shell() {
    let root = Root::new();
    let plain = root.peer().join("plain");
    fs::write(&plain, "").unwrap();
    let plain = format!("arg={}", plain.display());
    for (entries, status, why) in [
        (vec!["cwd=/", "arg=no-such-program"], 127, "coalmine: can not start no-such-program: "),
        (vec!["cwd=/", "arg=/no/such/program"], 127, "coalmine: can not start /no/such/program: "),
        (vec!["cwd=/", &plain], 126, "ermission denied"),
        (vec!["cwd=/no/such/folder", "arg=true"], 126, "coalmine: can not start /no/such/folder: "),
        (vec!["cwd=/"], 126, "no program was given"),
        (vec!["arg=true"], 126, "no folder"),
    ] {
        let output = helper().arg("pane").arg(order(&root, &entries)).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{entries:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(why), "{entries:?}: {}", stderr(&output));
    }
}
