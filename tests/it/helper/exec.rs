//! Becoming a program in another folder and under limits.

use super::{Root, helper, stderr, stdout};

#[test]
fn the_program_starts_in_its_folder_under_its_limits_with_its_environment() {
    let root = Root::new();
    let folder = root.dir.path().canonicalize().unwrap();
    let mut exec = helper();
    exec.arg("exec").arg("--chdir").arg(&folder).args(["--rlimit", "nofile=64:128", "--rlimit", "core=0", "--"]);
    exec.args(["sh", "-c", "pwd; ulimit -n; ulimit -Hn; ulimit -c; echo $A"]).env("A", "kept");
    let output = exec.output().unwrap();
    assert_eq!(stdout(&output), format!("{}\n64\n128\n0\nkept\n", folder.display()), "{}", stderr(&output));
}

#[test]
fn what_can_not_be_done_is_said_and_nothing_is_run() {
    for (args, status) in [
        (vec!["--chdir", "/no/such/folder", "--", "echo", "ran"], 126),
        (vec!["--rlimit", "nofile=2:1", "--", "echo", "ran"], 126),
        (vec!["--", "no-such-program"], 127),
    ] {
        let output = helper().arg("exec").args(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{args:?}");
        assert!(stdout(&output).is_empty() && stderr(&output).contains("coalmine: can not start "), "{args:?}");
    }
}
