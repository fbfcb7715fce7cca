//! Providers of every nasty kind, each against the promise that a run always has an outcome and leaves nothing behind.

use super::*;
use crate::io::held;
use coalmine_actors::provisioner::{errand::Program, outcome::State};
use rustix::process::Signal;
use std::{
    fs,
    future::Future,
    os::unix::fs::{PermissionsExt, symlink},
    time::Duration,
};
use tempfile::TempDir;
use tokio::time::Instant;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// A root with providers; what they leave behind ends with it.
struct House {
    providers: Providers,
    root: TempDir,
}

impl House {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::new(root.path()).unwrap();
        fs::create_dir(paths.run()).unwrap();
        Self { providers: Providers::new(paths, &["PATH".into(), "HOME".into()]), root }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// An executable file with this text.
    fn script(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn run_for(&self, command: ProvisionCommand, total: Duration) -> ProvisionOutcome {
        let (_cancel, never) = watch::channel(false);
        self.providers.run(command, Deadlines { total, idle: None }, never).await
    }

    async fn run(&self, command: ProvisionCommand) -> ProvisionOutcome {
        self.run_for(command, LONG).await
    }

    fn sh(&self, script: &str) -> ProvisionCommand {
        let args = vec!["-c".to_owned(), script.to_owned()];
        ProvisionCommand { program: Program::At("/bin/sh".into()), args, cwd: self.root.path().into() }
    }

    /// A program without arguments.
    fn at(&self, path: &str) -> ProvisionCommand {
        ProvisionCommand { program: Program::At(path.into()), args: Vec::new(), cwd: self.root.path().into() }
    }

    /// Processes of any run here that live.
    fn left(&self) -> Vec<i32> {
        bearers(&self.providers).iter().map(|held| held.pid).collect()
    }

    async fn until_nothing_is_left(&self) {
        until("nothing is left", || async { self.left().is_empty() }).await;
    }
}

impl Drop for House {
    fn drop(&mut self) {
        held::signal(&bearers(&self.providers), Signal::KILL);
    }
}

fn bearers(providers: &Providers) -> Vec<held::Held> {
    let mark = format!("{}={}-", crate::io::life_mark::VARIABLE, providers.0.paths.root_hash());
    held::find(|pid| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ.split(|byte| *byte == 0).any(|entry| entry.starts_with(mark.as_bytes()))
    })
}

async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = Instant::now() + LONG;
    while !condition().await {
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_a_command_says_last_is_kept_whether_it_does_or_not() {
    let house = House::new();
    for (script, state, code, detail) in [
        ("echo fine >&2", State::Ok, Some(0), "fine"),
        ("echo first >&2; echo not there >&1; echo last >&2; exit 7", State::Failed, Some(7), "first\nlast"),
        ("kill -9 $$", State::Failed, None, "killed by SIGKILL"),
        ("echo words >&2; kill -TERM $$", State::Failed, None, "killed by SIGTERM: words"),
        (
            "exec >&- 2>&-; sleep 0.2; exit 4",
            State::Failed,
            Some(4),
            "it exited with status 4 and wrote nothing to stderr",
        ),
        ("printf 'a\\377b' >&2", State::Ok, Some(0), "a\u{fffd}b"),
    ] {
        let outcome = house.run(house.sh(script)).await;
        assert_eq!((outcome.state, outcome.exit_code, outcome.detail.as_str()), (state, code, detail), "{script}");
        assert_eq!(outcome.argv, ["/bin/sh", "-c", script]);
    }
    assert_eq!(house.left(), [0; 0]);
}

#[tokio::test]
async fn what_can_not_be_run_is_not_executable() {
    let house = House::new();
    fs::create_dir(house.path("folder")).unwrap();
    symlink(house.path("gone"), house.path("dangling")).unwrap();
    fs::write(house.path("plain"), "#!/bin/sh\n").unwrap();
    house.script("no-interpreter-line", "exit 0\n");
    house.script("bad-interpreter", "#!/does/not/exist\n");
    for name in ["missing", "folder", "dangling", "plain", "no-interpreter-line", "bad-interpreter"] {
        let path = house.path(name).to_str().unwrap().to_owned();
        let outcome = house.run(house.at(&path)).await;
        assert_eq!((outcome.state, outcome.exit_code), (State::NotExecutable, None), "{name}: {outcome:?}");
        let says = format!("command not found or not executable: {path}");
        assert!(outcome.detail.starts_with(&says), "{name}: {}", outcome.detail);
    }
    let runtime = ProvisionCommand { program: Program::InPath("no-such-agent".into()), ..house.at("/x") };
    let outcome = house.run(runtime).await;
    assert_eq!(outcome.state, State::RuntimeMissing);
    assert_eq!(outcome.detail, "the runtime's program no-such-agent is not in PATH");
}

#[tokio::test]
async fn a_command_sees_its_own_folder_three_descriptors_and_a_chosen_environment() {
    let house = House::new();
    let look = "env | cut -d= -f1 | sort | tr '\\n' ' ' >&2; ls /proc/self/fd | wc -l >&2; \
                cat /proc/self/fd/0 >&2; test \"$(ps -o sid= -p $$ | tr -d ' ')\" = $$ && pwd >&2";
    let outcome = house.run(house.sh(look)).await;
    // ls itself opens one more to read the folder; PWD and _ are the shell's own.
    let folder = house.root.path().canonicalize().unwrap();
    let expected = format!("COALMINE_LIFE HOME PATH PWD 4\n{}", folder.display());
    assert_eq!(outcome.detail.replace("OLDPWD ", "").replace("_ ", "").replace("SHLVL ", ""), expected);
}

#[tokio::test]
async fn a_folder_may_have_any_name_and_one_that_is_gone_is_the_state_root() {
    let house = House::new();
    for name in ["{occasion}", "a$&b", "--help", "two\nlines", "a b'\"c"] {
        let cwd = house.path(name);
        fs::create_dir(&cwd).unwrap();
        let args = vec![
            "-c".into(),
            "printf %s \"$1\" >&2; test \"$1\" = \"$PWD\"".into(),
            "x".into(),
            cwd.to_str().unwrap().into(),
        ];
        let outcome = house.run(ProvisionCommand { cwd: cwd.clone(), args, ..house.sh("") }).await;
        assert_eq!((outcome.state, outcome.detail.as_str()), (State::Ok, cwd.to_str().unwrap()), "{name}");
    }
    let outcome = house.run(ProvisionCommand { cwd: house.path("gone"), ..house.sh("pwd >&2") }).await;
    assert_eq!(Path::new(&outcome.detail), house.root.path().canonicalize().unwrap());
}

#[tokio::test]
async fn a_deadline_ends_the_whole_group_and_is_told() {
    let house = House::new();
    let began = Instant::now();
    let outcome = house.run_for(house.sh("echo begun >&2; sleep 3600 & sleep 3600"), Duration::from_millis(300)).await;
    assert_eq!((outcome.state, outcome.exit_code), (State::Timeout, None));
    assert_eq!(outcome.detail, "timed out after 300 ms: begun");
    assert!((300..2_000).contains(&outcome.duration_ms), "{} ms: nobody ignores TERM", outcome.duration_ms);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!((house.left(), outcome.escaped), (vec![], vec![]));
}

#[tokio::test]
async fn who_ignores_term_or_leaves_the_group_is_killed_after_two_seconds() {
    let house = House::new();
    let stubborn = "trap '' TERM; while :; do sleep 1; done";
    for script in [
        stubborn.to_owned(),
        format!("setsid sh -c '{}' & wait", stubborn.replace('\'', "\"")),
        // Without its mark, it is known by its parent.
        format!("env -i setsid sh -c '{}' & wait; sleep 3600", stubborn.replace('\'', "\"")),
    ] {
        let outcome = house.run_for(house.sh(&script), Duration::from_millis(300)).await;
        assert_eq!((outcome.state, &outcome.escaped), (State::Timeout, &vec![]), "{script}: {outcome:?}");
        assert!((2_300..10_000).contains(&outcome.duration_ms), "{script}: {} ms", outcome.duration_ms);
        assert_eq!(house.left(), [0; 0], "{script}");
    }
}

#[tokio::test]
async fn a_daemon_that_a_command_leaves_behind_keeps_nobody_waiting_and_is_left_alone() {
    let house = House::new();
    let outcome = house.run(house.sh("setsid sleep 3600 & echo started >&2")).await;
    assert_eq!((outcome.state, outcome.detail.as_str()), (State::Ok, "started"));
    assert!(
        (500..20_000).contains(&outcome.duration_ms),
        "the pipes are dropped after 500 ms: {}",
        outcome.duration_ms
    );
    assert_eq!(house.left().len(), 1, "a provider may start what it needs");
}

#[tokio::test]
async fn a_gibibyte_on_stderr_is_read_and_its_end_kept() {
    let house = House::new();
    let outcome = house.run(house.sh("yes 0123456789abcde | head -c 1073741824 >&2; echo the end >&2")).await;
    assert_eq!(outcome.state, State::Ok);
    assert!(outcome.detail.starts_with('…') && outcome.detail.ends_with("the end"), "{}", outcome.detail);
    assert_eq!(outcome.detail.chars().count(), 400);
}

#[tokio::test]
async fn a_flood_without_an_end_still_meets_its_deadline() {
    let house = House::new();
    let outcome = house.run_for(house.sh("yes >&2 & yes"), Duration::from_millis(300)).await;
    assert_eq!(outcome.state, State::Timeout);
    assert!(outcome.duration_ms < 10_000, "{} ms", outcome.duration_ms);
    assert_eq!(house.left(), [0; 0]);
}

#[tokio::test]
async fn silence_ends_a_command_and_words_do_not() {
    let house = House::new();
    let (_cancel, never) = watch::channel(false);
    let limits = Deadlines { total: LONG, idle: Some(Duration::from_millis(800)) };
    let chatty = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i >&2; sleep 0.1; done";
    assert_eq!(house.providers.run(house.sh(chatty), limits, never.clone()).await.state, State::Ok);
    let outcome = house.providers.run(house.sh("echo hm >&2; sleep 3600"), limits, never).await;
    assert_eq!((outcome.state, outcome.detail.as_str()), (State::Timeout, "timed out after 800 ms without a word: hm"));
    assert_eq!(house.left(), [0; 0]);
}

#[tokio::test]
async fn a_call_off_ends_what_runs_and_a_drop_does_too() {
    let house = House::new();
    let (cancel, called_off) = watch::channel(false);
    let limits = Deadlines { total: LONG, idle: None };
    let running = tokio::spawn(house.providers.run(house.sh("echo here >&2; exec sleep 3600"), limits, called_off));
    until("it runs", || async { house.left().len() == 1 }).await;
    cancel.send_replace(true);
    let outcome = running.await.unwrap();
    assert_eq!((outcome.state, outcome.exit_code), (State::Cancelled, None));
    assert!(outcome.detail.starts_with("called off"), "{}", outcome.detail);
    assert_eq!(house.left(), [0; 0]);

    let (_cancel, never) = watch::channel(false);
    let running = tokio::spawn(house.providers.run(house.sh("sleep 3600 & sleep 3600"), limits, never));
    until("both run", || async { house.left().len() == 3 }).await;
    running.abort();
    house.until_nothing_is_left().await;
}

#[tokio::test]
async fn a_program_that_is_replaced_while_it_runs_ends_as_it_began() {
    let house = House::new();
    let path = house.script("provider", "#!/bin/sh\nmv \"$0.new\" \"$0\"\nsleep 0.1\necho old >&2\n");
    house.script("provider.new", "#!/bin/sh\necho new >&2\nexit 3\n");
    let old = house.run(house.at(&path)).await;
    assert_eq!((old.state, old.detail.as_str()), (State::Ok, "old"));
    let new = house.run(house.at(&path)).await;
    assert_eq!((new.state, new.detail.as_str()), (State::Failed, "new"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_runs_at_once_leave_no_descriptor_and_no_process() {
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    let house = House::new();
    house.run(house.sh("true")).await;
    let before = descriptors();
    let mut runs = tokio::task::JoinSet::new();
    for number in 0..500 {
        let script = match number % 4 {
            0 => "echo ok >&2",
            1 => "exit 1",
            2 => "yes | head -c 200000 >&2",
            _ => "sleep 0.2",
        };
        let (providers, command) = (house.providers.clone(), house.sh(script));
        runs.spawn(async move {
            let (_cancel, never) = watch::channel(false);
            let outcome = providers.run(command, Deadlines { total: LONG, idle: None }, never).await;
            (number, outcome)
        });
    }
    while let Some(run) = runs.join_next().await {
        let (number, outcome) = run.unwrap();
        let expected = if number % 4 == 1 { State::Failed } else { State::Ok };
        assert_eq!(outcome.state, expected, "{number}: {outcome:?}");
    }
    until("all descriptors are closed", || async { descriptors() <= before }).await;
    house.until_nothing_is_left().await;
}

#[tokio::test]
async fn the_slot_is_what_lies_there_now() {
    let house = House::new();
    let file = house.providers.0.paths.memory_provider();
    assert_eq!(house.providers.slot().await, SlotFile::Missing);
    fs::write(&file, "{}").unwrap();
    let SlotFile::Found(bytes, first) = house.providers.slot().await else { panic!() };
    assert_eq!((bytes.as_slice(), first.bytes), (b"{}".as_slice(), 2));
    fs::write(&file, vec![b' '; 1024 * 1024 + 1]).unwrap();
    let SlotFile::Unusable(why, second) = house.providers.slot().await else { panic!() };
    assert_eq!(why, "it has 1048577 bytes; 1048576 are the limit");
    assert_ne!(first, second);
    fs::remove_file(&file).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let SlotFile::Unusable(why, _) = house.providers.slot().await else { panic!() };
    assert_eq!(why, "it is not a regular file");
}
