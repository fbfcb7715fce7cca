//! What every verb has in common.

use super::{helper, stderr, stdout};

#[test]
fn the_helper_names_its_version_as_the_daemon_checks_it() {
    let output = helper().arg("--version").output().unwrap();
    assert_eq!(stdout(&output), format!("coalmine-helper {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn help_lists_the_verbs_and_does_nothing_else() {
    let output = helper().arg("--help").output().unwrap();
    assert!(output.status.success());
    for verb in ["canary", "pane", "hook", "panelog", "exec"] {
        assert!(stdout(&output).contains(&format!("\n  {verb} ")), "{verb}");
    }
}

#[test]
fn wrong_arguments_are_refused_with_status_2_and_a_hint() {
    let canary = ["--journal", "/j", "--peer-dir", "/p", "--identity", "a-b", "--gen", "1", "--server-pid", "1"];
    let armed_without_descriptors = [&["canary"], &canary[..], &["--started-boot-ms", "0"]].concat();
    let rows: [&[&str]; 14] = [
        &[],
        &["bury"],
        &["canary"],
        &["canary", "--help"],
        &["canary", "--journal", "relative"],
        &["canary", "--gen", "seven"],
        &armed_without_descriptors,
        &["pane"],
        &["hook", "pane-born"],
        &["hook", "session-closed"],
        &["hook", "session-closed", "$0"],
        &["panelog"],
        &["exec", "true"],
        &["exec", "--rlimit", "hope=1", "--", "true"],
    ];
    for args in rows {
        let output = helper().args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("hint: "), "{args:?}");
    }
}
