//! Limits of memory and tasks: on this host's own cgroups where that harms nobody, refused where nothing can apply them.

use crate::support::{Daemon, Rig, Root, eventually, kill, signal, skip};
use coalmine::{
    actors::{
        fleet::request::CreatePeer,
        peer::{limits::Limits, restart_policy::RestartPolicy},
        view::{PeerView, PhaseName},
    },
    config::Config,
    io::limits::LimitsHost,
};
use rustix::process::Signal;
use serde_json::Value;
use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Says that groups may be made below the one that these tests were put into by somebody else.
const CONSENT: &str = "COALMINE_TEST_CGROUPS";

/// Whether this host lets a group be made in the hierarchy of this controller. A group that somebody else made for
/// these processes is not ours to change, unless that was allowed.
fn may_make_groups(claim: &str, controller: &str) -> bool {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own =
        own.lines().find_map(|line| line.split_once(&format!(":{controller}:")).map(|(_, group)| group.to_owned()));
    let why = match own {
        _ if Path::new("/run/systemd/system").exists() => {
            "systemd would make a scope; the claim is of cgroups".to_owned()
        }
        None => format!("cgroup v1 has no controller {controller} here"),
        Some(own) if own != "/" && std::env::var_os(CONSENT).is_none() => {
            format!("{controller}:{own} belongs to somebody else; {CONSENT}=1 allows groups below it")
        }
        Some(_)
            if rustix::fs::access(format!("/sys/fs/cgroup/{controller}"), rustix::fs::Access::WRITE_OK).is_err() =>
        {
            format!("/sys/fs/cgroup/{controller} may not be written")
        }
        Some(_) => return true,
    };
    skip(claim, &why);
    false
}

/// The group of a live process in the hierarchy of this controller.
fn group(pid: i32, controller: &str) -> PathBuf {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let group =
        text.lines().find_map(|line| line.split_once(&format!(":{controller}:/")).map(|(_, group)| group)).unwrap();
    Path::new("/sys/fs/cgroup").join(controller).join(group)
}

/// Groups that a test has seen: should it fail, they go once its fleet, which is dropped first, has let go of them.
#[derive(Default)]
struct Seen(RefCell<Vec<PathBuf>>);

impl Seen {
    fn group(&self, view: &PeerView, controller: &str) -> PathBuf {
        self.group_of(view.server_pid.unwrap(), controller)
    }

    fn group_of(&self, pid: i32, controller: &str) -> PathBuf {
        let group = group(pid, controller);
        self.0.borrow_mut().push(group.clone());
        group
    }
}

impl Drop for Seen {
    #[expect(clippy::disallowed_methods, reason = "nothing else can wait in a drop")]
    fn drop(&mut self) {
        for group in self.0.take() {
            let _gone = (0..200).find(|_| {
                std::thread::sleep(Duration::from_millis(5));
                fs::remove_dir(&group).is_ok() || !group.exists()
            });
        }
    }
}

fn tasks(tasks_max: u32) -> Limits {
    Limits { memory_max: None, tasks_max: Some(tasks_max) }
}

async fn until_gone(group: &Path) {
    eventually("the group removed", || async { (!group.exists()).then_some(()) }).await;
}

/// The notes of groups in the folder of shell-bob.
fn notes(rig: &Rig) -> usize {
    let files = fs::read_dir(rig.root().join("peers/shell-bob")).unwrap();
    files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with("limits-g")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_loop_stops_at_tasks_max_and_the_group_goes_with_the_life() {
    if !may_make_groups("a fork loop stops at tasks_max", "pids") {
        return;
    }
    let seen = Seen::default();
    let rig = Rig::new().await;
    let script = "(while :; do sleep 600 & done); exec sleep 3600";
    let request = CreatePeer { limits: tasks(20), restart: Some(RestartPolicy::Never), ..rig.script("bob", script) };
    let bob = rig.fleet.create(request).await.unwrap().peer;
    assert_eq!(bob.limits, tasks(20));
    let group = seen.group(&bob, "pids");
    assert!(group.file_name().unwrap().to_string_lossy().ends_with("-shell-bob-g1"), "{}", group.display());
    let read = |file: &str| fs::read_to_string(group.join(file)).unwrap_or_default();
    eventually("the limit met", || async { (read("pids.events").trim() != "max 0").then_some(()) }).await;
    assert!(read("pids.current").trim().parse::<u32>().unwrap() <= 20, "{}", read("pids.current"));
    assert_eq!(read("pids.max").trim(), "20");
    assert_eq!(notes(&rig), 1);
    rig.fleet.stop("bob", Duration::from_secs(30)).await.unwrap();
    assert!(!group.exists(), "what is stopped leaves no group");
    assert_eq!(notes(&rig), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_takes_its_group_with_it_and_the_next_life_has_one_of_its_own() {
    if !may_make_groups("each life has a group of its own", "pids") {
        return;
    }
    let seen = Seen::default();
    let rig = Rig::impatient().await;
    let request = CreatePeer { limits: tasks(50), ..rig.script("bob", "exec sleep 3600") };
    let first = rig.fleet.create(request).await.unwrap().peer;
    let first_group = seen.group(&first, "pids");
    kill(first.server_pid.unwrap());
    let second = rig.until_up("bob", 2).await;
    let second_group = seen.group(&second, "pids");
    assert_ne!(second_group, first_group);
    until_gone(&first_group).await;
    rig.settled("bob").await;
    assert_eq!(rig.records().len(), 1);
    rig.fleet.remove("bob", true).await.unwrap();
    until_gone(&second_group).await;
}

fn pid(peer: &Value, whose: &str) -> i32 {
    peer[whose].as_i64().unwrap().try_into().unwrap()
}

#[tokio::test]
async fn a_server_whose_daemon_died_before_it_was_limited_is_limited_before_its_program_begins() {
    if !may_make_groups("a server is limited by the next daemon", "pids") {
        return;
    }
    let seen = Seen::default();
    let daemon = Daemon::on(Root::new().env_also("COALMINE_FAULT", "server-born")).await;
    daemon.ask(&["create", "bob", "--tasks-max", "50", "--", "sleep", "3600"]);
    daemon.coalmine(&["start", "bob"]);
    let (_, root) = daemon.ended().await;
    let daemon = Daemon::on(root).await;
    let bob = daemon.until("bob", "up", |peer| peer["phase"] == "up").await;
    assert_eq!(bob["gen"], 1, "the server that was born goes on");
    let group = seen.group_of(pid(&bob, "server_pid"), "pids");
    assert!(group.to_string_lossy().ends_with("-shell-bob-g1"), "{}", group.display());
    daemon.ask(&["stop", "bob"]);
    assert!(!group.exists());
}

#[tokio::test]
async fn groups_that_wait_for_a_canary_go_with_the_daemon_and_forgotten_ones_with_the_next() {
    if !may_make_groups("no group outlives a daemon that was told to end", "pids") {
        return;
    }
    let seen = Seen::default();
    let daemon = Daemon::start().await;
    daemon.ask(&["create", "bob", "--tasks-max", "50", "--restart", "never", "--start", "--", "sleep", "3600"]);
    let bob = daemon.peer("bob");
    let group = seen.group_of(pid(&bob, "server_pid"), "pids");
    // It is to read the counters of the group first, and does not come to it.
    signal(pid(&bob, "canary_pid"), Signal::STOP);
    kill(pid(&bob, "server_pid"));
    daemon.until("bob", "down", |peer| peer["phase"] == "stopped").await;
    daemon.signal(Signal::TERM);
    let (_, root) = daemon.ended().await;
    signal(pid(&bob, "canary_pid"), Signal::CONT);
    assert!(!group.exists());

    fs::create_dir(&group).unwrap();
    let note = root.path().join("peers/shell-bob/limits-g9");
    fs::write(&note, group.to_str().unwrap()).unwrap();
    let _daemon = Daemon::on(root).await;
    assert!(!group.exists() && !note.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_eats_all_its_memory_is_recorded_as_oom_killed() {
    if !may_make_groups("a program beyond memory_max is oom-killed", "memory") {
        return;
    }
    let seen = Seen::default();
    let rig = Rig::new().await;
    let limits = Limits { memory_max: Some("64M".parse().unwrap()), tasks_max: None };
    // Not at once, so that the start is over by then.
    let script = "sleep 1; exec tail /dev/zero";
    let request = CreatePeer { limits, restart: Some(RestartPolicy::Never), ..rig.script("bob", script) };
    let bob = rig.fleet.create(request).await.unwrap().peer;
    let group = seen.group(&bob, "memory");
    rig.until("bob", "stopped", |view| view.phase == PhaseName::Stopped).await;
    let exits = rig.exits();
    assert!(exits.iter().any(|line| line.contains("cause=oom-killed")), "{exits:#?}");
    until_gone(&group).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_that_nothing_can_apply_are_refused_and_never_dropped() {
    let nowhere = tempfile::tempdir().unwrap();
    let host = LimitsHost::at(nowhere.path());
    let rig = Rig::with(|builder| builder.limits_host(host)).await;
    let error =
        rig.fleet.create(CreatePeer { limits: tasks(50), ..rig.script("bob", "exec sleep 60") }).await.unwrap_err();
    assert_eq!(error.code(), "unsupported");
    assert!(error.hint().contains("leave out memory_max"), "{}", error.hint());
    assert!(rig.fleet.show("bob").is_err(), "nothing was made");
    rig.sleeper("anna").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_that_nothing_can_apply_refuses_the_start() {
    let nowhere = tempfile::tempdir().unwrap();
    let host = LimitsHost::at(nowhere.path());
    let config = Config { limits: tasks(50), ..Config::default() };
    let rig = Rig::with(|builder| builder.config(config).limits_host(host)).await;
    let error = rig.fleet.create(rig.script("bob", "exec sleep 60")).await.unwrap_err();
    assert_eq!(error.code(), "unsupported");
    assert_eq!((rig.view("bob").phase, rig.view("bob").generation.0), (PhaseName::Asleep, 0));
}
