//! The pane log.

use super::{Guard, Root, helper, wait_for};
use std::{fs, io::Write, os::unix::fs::PermissionsExt, process::Stdio};

#[test]
fn output_is_kept_in_two_files_and_heals_after_an_unlink() {
    let root = Root::new();
    let path = root.peer().join("pane.log");
    let mut panelog = helper();
    panelog.args(["panelog", "--max", "8"]).env("COALMINE_PANE_LOG", &path).stdin(Stdio::piped());
    let mut panelog = Guard::of(&mut panelog);
    let mut input = panelog.0.stdin.take().unwrap();
    let mut say = |text: &str| {
        input.write_all(text.as_bytes()).unwrap();
        wait_for(text, || fs::read_to_string(&path).is_ok_and(|log| log.ends_with(text)).then_some(()));
    };
    say("first");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    say("second");
    assert_eq!(fs::read_to_string(root.peer().join("pane.log.1")).unwrap(), "first");
    assert_eq!(fs::read_to_string(&path).unwrap(), "second");
    fs::remove_file(&path).unwrap();
    say("third");
    assert_eq!(fs::read_to_string(&path).unwrap(), "third");
    drop(input);
    assert!(panelog.ended().success());
}

#[test]
fn a_log_that_can_not_be_written_never_holds_the_pane_back() {
    let root = Root::new();
    let mut panelog = helper();
    panelog.arg("panelog").arg(root.dir.path().join("no/such/folder/pane.log")).stdin(Stdio::piped());
    let mut panelog = Guard::of(&mut panelog);
    // Much more than a pipe holds: this ends only if somebody reads.
    panelog.0.stdin.take().unwrap().write_all(&vec![b'x'; 1 << 20]).unwrap();
    assert!(panelog.ended().success());
}
