//! The choice of a mechanism, on hosts made of plain files.

use super::*;
use coalmine_actors::names::Generation;
use std::fs;
use tempfile::TempDir;

const MARK: &str = "0a-shell-bob-g7";

/// A host where `/proc/self/cgroup` says `own`.
fn host(own: &str) -> (TempDir, LimitsHost) {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("self-cgroup"), own).unwrap();
    let host = LimitsHost::at(root.path());
    (root, host)
}

/// The group `/daemon` of cgroup v2, with what it was given, what it gives on, and who is in it.
fn version_two(given: &str, on: &str, procs: &str) -> (TempDir, LimitsHost) {
    let (root, host) = host("0::/daemon\n");
    fs::create_dir(root.path().join("daemon")).unwrap();
    fs::write(root.path().join("cgroup.controllers"), "memory pids").unwrap();
    for (file, text) in [("cgroup.controllers", given), ("cgroup.subtree_control", on), ("cgroup.procs", procs)] {
        fs::write(root.path().join("daemon").join(file), text).unwrap();
    }
    (root, host)
}

fn limits(memory: Option<&str>, tasks_max: Option<u32>) -> Limits {
    Limits { memory_max: memory.map(|text| text.parse().unwrap()), tasks_max }
}

/// Makes the group of life 7 as a start does, and gives the file's text.
fn made(root: &TempDir, host: &LimitsHost, limits: Limits) -> impl Fn(&str) -> String {
    let Some(Mechanism::Cgroup(hierarchies)) = host.choose(&limits).unwrap() else { panic!("no groups") };
    let group = Group::make(&hierarchies, root.path(), Generation(7), MARK, &limits).unwrap();
    group.enter(4242).unwrap();
    let root = root.path().to_owned();
    move |file| fs::read_to_string(root.join(file)).unwrap_or_default()
}

#[test]
fn what_is_not_limited_needs_no_mechanism() {
    let (_root, host) = host("");
    assert_eq!(host.choose(&Limits::default()).unwrap(), None);
}

#[test]
fn one_group_of_the_second_version_bears_both_limits() {
    let (root, host) = version_two("cpu memory pids", "memory pids", "17\n");
    let text = made(&root, &host, limits(Some("64M"), Some(100)));
    let group = format!("daemon/coalmine-{MARK}");
    assert_eq!(text(&format!("{group}/memory.max")), "67108864");
    assert_eq!(text(&format!("{group}/pids.max")), "100");
    assert_eq!(text(&format!("{group}/cgroup.procs")), "4242");
    assert_eq!(text("limits-g7"), format!("{}\0", root.path().join(group).display()));
}

#[test]
fn a_controller_is_enabled_where_nobody_is_in_the_way() {
    let (root, host) = version_two("memory pids", "", "");
    let text = made(&root, &host, limits(None, Some(100)));
    assert_eq!(text("daemon/cgroup.subtree_control"), "+pids");
    assert_eq!(text(&format!("daemon/coalmine-{MARK}/memory.max")), "");
}

#[test]
fn the_first_version_has_a_group_in_each_hierarchy() {
    let (root, host) = host("8:pids:/\n4:memory:/box\n0::/\n");
    for folder in ["memory/box", "pids"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    let text = made(&root, &host, limits(Some("64M"), Some(100)));
    assert_eq!(text(&format!("memory/box/coalmine-{MARK}/memory.limit_in_bytes")), "67108864");
    assert_eq!(text(&format!("pids/coalmine-{MARK}/pids.max")), "100");
    assert_eq!(text(&format!("pids/coalmine-{MARK}/cgroup.procs")), "4242");
}

#[test]
fn a_host_without_a_way_says_why_and_what_to_do() {
    let wanted = limits(Some("64M"), Some(100));
    let (_root, nothing) = host("");
    let (_root, crowded) = version_two("memory pids", "", "17\n");
    let (_root, not_given) = version_two("cpu", "cpu", "");
    let (_root, half_given) = version_two("memory", "memory", "");
    for (host, why) in [
        (nothing, "no cgroup file system with the controller memory is mounted"),
        (crowded, "holds processes itself, so the kernel enables no controller (memory)"),
        (not_given, "the controller memory is not given to"),
        (half_given, "the controller pids is not given to"),
    ] {
        let error = host.choose(&wanted).unwrap_err();
        assert_eq!(error.code(), "unsupported");
        assert!(error.to_string().contains(why), "{error}");
        assert!(error.hint().contains("coalmine install"), "{}", error.hint());
    }
}

#[test]
fn groups_that_are_gone_are_forgotten_and_one_that_is_not_empty_stays_noted() {
    let (root, host) = version_two("memory pids", "memory pids", "");
    let _text = made(&root, &host, limits(None, Some(100)));
    assert!(!release_empty(root.path(), Generation(7)), "it holds files, as a busy group holds processes");
    assert!(is_noted(root.path(), Generation(7)));
    fs::remove_dir_all(root.path().join(format!("daemon/coalmine-{MARK}"))).unwrap();
    assert!(release_empty(root.path(), Generation(7)));
    assert!(!is_noted(root.path(), Generation(7)));
}

#[test]
fn what_is_beyond_the_host_is_refused() {
    assert!(fits_host(&limits(Some("16M"), Some(8))).is_ok());
    for (limits, says) in [
        (limits(Some("1024T"), None), "memory_max is 1024T"),
        (limits(None, Some(u32::MAX)), "tasks_max is 4294967295"),
    ] {
        assert!(fits_host(&limits).unwrap_err().to_string().starts_with(says));
    }
    assert_eq!(mem_total("MemFree: 1 kB\nMemTotal:       2048 kB\n"), Some(2 << 20));
    assert_eq!(mem_total("MemTotal: 2 GB\n"), None);
}
