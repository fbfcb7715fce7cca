//! The pane entry behind walls: the program reaches what its file says, and where nothing can hold it nothing runs.

use super::{Root, helper, stderr, stdout};
use crate::support::skip;
use coalmine::io::sandbox;
use std::{fs, path::PathBuf, process::Output};

/// A folder with `in/f` and `out/f`, and the pane file of a shell.
fn run(root: &Root, walls: &[String], script: &str) -> Output {
    for folder in ["in", "out"] {
        fs::create_dir_all(root.peer().join(folder)).unwrap();
        fs::write(root.peer().join(folder).join("f"), format!("{folder}\n")).unwrap();
    }
    let file = root.peer().join("pane");
    let entries = [format!("cwd={}", root.peer().join("in").display()), "env=COALMINE_SOCKET=/s".into()];
    let program = ["arg=sh".to_owned(), "arg=-c".into(), format!("arg={script}")];
    let entries = entries.iter().chain(&program).chain(walls);
    fs::write(&file, entries.map(|entry| format!("{entry}\0")).collect::<String>()).unwrap();
    helper().arg("pane").arg(file).output().unwrap()
}

fn walls(root: &Root, more: &[&str]) -> Vec<String> {
    let folder = root.peer().join("in");
    let some = ["sandbox=required".to_owned(), format!("read={}", folder.display())];
    some.into_iter().chain(more.iter().map(|entry| (*entry).to_owned())).collect()
}

/// Whether this kernel can hold a program.
fn holds(claim: &str) -> bool {
    let holds = sandbox::abi().is_some();
    if !holds {
        skip(claim, "this kernel has no Landlock");
    }
    holds
}

#[test]
fn a_program_behind_walls_reaches_what_its_file_says() {
    if !holds("a program behind walls reaches what its file says") {
        return;
    }
    let root = Root::new();
    let script = "cat f ../out/f; echo x > f; echo \"socket=$COALMINE_SOCKET\"; kill -0 $PPID || echo alone; echo done";
    let free = run(&root, &[], script);
    assert_eq!(stdout(&free), "in\nout\nsocket=/s\ndone\n", "{}", stderr(&free));
    fs::write(root.peer().join("in/f"), "in\n").unwrap();
    let held = run(&root, &walls(&root, &[]), script);
    assert_eq!(stdout(&held), "in\nsocket=\nalone\ndone\n", "{}", stderr(&held));
    assert_eq!(fs::read_to_string(root.peer().join("in/f")).unwrap(), "in\n");
}

#[test]
fn a_program_of_another_folder_runs_and_reads_nothing_beside_it() {
    if !holds("a program of another folder runs") {
        return;
    }
    let root = Root::new();
    let own = root.peer().join("own");
    fs::create_dir(&own).unwrap();
    fs::copy("/bin/cat", own.join("tool")).unwrap();
    fs::write(own.join("beside"), "beside").unwrap();
    let file: PathBuf = root.peer().join("order");
    let tool = format!("arg={}", own.join("tool").display());
    let beside = format!("arg={}", own.join("beside").display());
    for (entries, status, says) in [
        (vec!["cwd=/", &tool, "arg=/etc/passwd", "sandbox=required"], 0, ""),
        (vec!["cwd=/", &tool, &beside, "sandbox=required"], 1, "ermission denied"),
    ] {
        fs::write(&file, entries.iter().map(|entry| format!("{entry}\0")).collect::<String>()).unwrap();
        let output = helper().arg("pane").arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{}", stderr(&output));
        assert!(stderr(&output).contains(says), "{}", stderr(&output));
    }
}

#[test]
fn what_could_run_outside_by_a_damaged_file_does_not_run() {
    let root = Root::new();
    for bad in ["sandbox=maybe", "sandbox=required\0connect=x", "read=/", "sandbox=\0"] {
        let output = run(&root, &[bad.to_owned()], "echo it ran");
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(126), ""), "{bad}: {}", stderr(&output));
    }
}
