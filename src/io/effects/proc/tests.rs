//! Programs of every nasty kind against the promise that what was checked is what runs, held in, and with nothing left.

use super::{Programs, file::open_granted, held::Running, run, start};
use crate::io::{effects::grants::Grants, held, life_mark, sandbox};
use coalmine_actors::{
    effects::{
        EffectError, Policy,
        argument::Argv,
        folder::Folder,
        output::Output,
        plan::ProgramPlan,
        program::{ProgramGrant, Sha256Hex},
        scope::Scope,
    },
    ports::ProcessEnd,
};
use rustix::process::Signal;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

/// A folder with programs, and a policy that grants them.
struct Shop {
    dir: TempDir,
    policy: Policy,
    programs: Programs,
}

impl Shop {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["in", "out"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        fs::write(dir.path().join("in/f"), "text").unwrap();
        fs::write(dir.path().join("out/f"), "a secret").unwrap();
        let folder = |name: &str| Scope::only(vec![Folder::new(dir.path().join(name)).unwrap()]);
        let policy = Policy {
            allow: ["proc", "fs.read", "fs.write"].map(|kind| kind.parse().unwrap()).into(),
            fs_read: folder("in"),
            fs_write: folder("in"),
            ..Policy::default()
        };
        // Marks of another test are other marks, also in another process.
        let name = dir.path().file_name().unwrap().to_str().unwrap().to_owned();
        Self { policy, programs: Programs::new(name), dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    async fn start(&self, grant: ProgramGrant, args: &[&str], has_input: bool) -> Result<start::Started, EffectError> {
        let plan = ProgramPlan { name: "it".into(), grant, cwd: None };
        let args = Argv(args.iter().map(|arg| (*arg).to_owned()).collect());
        let grants = Arc::new(Grants::open(&self.policy));
        self.programs.start(plan, args, BTreeMap::new(), has_input, grants).await
    }

    /// Runs it to its end.
    async fn run_for(&self, grant: ProgramGrant, args: &[&str], longest: Duration) -> Result<Value, EffectError> {
        let started = self.start(grant, args, false).await?;
        let done = run::to_its_end(started, None, Instant::now() + longest).await?;
        let Output::Json(said) = done.output else { panic!("{:?}", done.output) };
        Ok(said)
    }

    async fn sh(&self, script: &str) -> Value {
        self.run_for(grant("/bin/sh"), &["-c", script], LONG).await.unwrap()
    }

    async fn hold(&self, script: &str, input: Option<Vec<u8>>) -> Running {
        let started = self.start(grant("/bin/sh"), &["-c", script], input.is_some()).await.unwrap();
        Running::new(started, input.map(Into::into), Instant::now() + LONG)
    }

    /// All that bears a mark of this shop.
    fn family(&self) -> Vec<i32> {
        let prefix = format!("{}-{}-", self.programs.0.root_hash, super::KIND);
        let mut buffer = Vec::new();
        held::find(|pid| life_mark::begins(pid, &prefix, &mut buffer)).iter().map(|held| held.pid).collect()
    }

    async fn until_nothing_is_left(&self) {
        let deadline = Instant::now() + LONG;
        while !self.family().is_empty() {
            assert!(Instant::now() < deadline, "{:?} are left", self.family());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn grant(path: impl Into<PathBuf>) -> ProgramGrant {
    ProgramGrant { path: path.into(), sha256: None, args: Vec::new(), env: BTreeMap::new(), timeout: LONG }
}

#[tokio::test]
async fn what_a_program_says_and_how_it_ends_is_told() {
    let shop = Shop::new();
    let said = shop.sh("echo out; echo err >&2; exit 3").await;
    assert_eq!((&said["stdout"], &said["stderr"]), (&"out\n".into(), &"err\n".into()));
    assert_eq!((&said["exit_code"], &said["signal"], &said["truncated"]), (&3.into(), &Value::Null, &false.into()));
    let killed = shop.sh("kill -TERM $$").await;
    assert_eq!((&killed["exit_code"], &killed["signal"]), (&Value::Null, &"TERM".into()));
    let binary = shop.sh("printf '\\377'").await;
    assert_eq!(binary["stdout"]["base64"], "/w==");
}

#[tokio::test]
async fn an_input_larger_than_both_pipes_runs_through_a_program_and_one_that_ignores_it_ends_all_the_same() {
    let shop = Shop::new();
    let input = vec![b'x'; 8 * 1024 * 1024];
    for (script, length) in [("cat", input.len()), ("true", 0)] {
        let started = shop.start(grant("/bin/sh"), &["-c", script], true).await.unwrap();
        let done = run::to_its_end(started, Some(input.clone().into()), Instant::now() + LONG).await.unwrap();
        let Output::Json(said) = done.output else { panic!("{:?}", done.output) };
        assert_eq!((said["stdout"].as_str().unwrap().len(), &said["exit_code"]), (length, &0.into()), "{script}");
    }
}

#[tokio::test]
async fn nothing_of_ours_reaches_a_program() {
    let shop = Shop::new();
    let said = shop.run_for(grant("/usr/bin/env"), &[], LONG).await.unwrap();
    let names: Vec<_> = said["stdout"].as_str().unwrap().lines().filter_map(|line| line.split('=').next()).collect();
    assert_eq!(names, [life_mark::VARIABLE], "the mark alone: no PATH, no LD_PRELOAD, nothing of the daemon");
    let listed = ProgramGrant { env: BTreeMap::from([("A".into(), "1".into())]), ..grant("/usr/bin/env") };
    let said = shop.run_for(listed, &[], LONG).await.unwrap();
    assert!(said["stdout"].as_str().unwrap().lines().any(|line| line == "A=1"));
    // ls itself opens one more to read the folder; in a sandbox it can not even do that.
    let said = shop.sh("for fd in 0 1 2 3 4 5 6 7 8 9; do test -e /proc/self/fd/$fd && echo $fd; done; pwd").await;
    assert_eq!(said["stdout"], "0\n1\n2\n/\n", "{said}");
    let said = shop.sh("test \"$(cut -d' ' -f6 < /proc/$$/stat)\" = $$ || ulimit -c; ulimit -n").await;
    assert!(said["stdout"].as_str().unwrap().ends_with("1024\n"), "{said}");
}

#[tokio::test]
async fn what_was_checked_runs_whatever_its_path_leads_to_by_then() {
    let shop = Shop::new();
    let path = shop.path("in/tool");
    fs::copy("/bin/true", &path).unwrap();
    let checked = open_granted(&grant(&path)).unwrap();
    fs::rename(&path, shop.path("moved")).unwrap();
    fs::copy("/bin/false", &path).unwrap();
    let mark = shop.programs.0.marks.next(&shop.programs.0.root_hash, super::KIND);
    let order = start::Order {
        name: "tool".into(),
        file: checked,
        args: Vec::new(),
        env: BTreeMap::new(),
        folder: None,
        has_input: false,
        rules: sandbox::rules::Rules::default(),
        mark,
    };
    let started = tokio::task::spawn_blocking(move || start::start(&order)).await.unwrap().unwrap();
    let done = run::to_its_end(started, None, Instant::now() + LONG).await.unwrap();
    let Output::Json(said) = done.output else { panic!() };
    assert_eq!(said["exit_code"], 0, "true was checked: {said}");
    let now = shop.run_for(grant(&path), &[], LONG).await.unwrap();
    assert_eq!(now["exit_code"], 1, "false is there now");
}

#[tokio::test]
async fn a_pinned_program_is_the_one_whose_bytes_were_hashed() {
    let shop = Shop::new();
    let path = shop.script("in/tool", "#!/bin/sh\necho \"$0 $1\"\n");
    let digest: String = Sha256::digest(fs::read(&path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect();
    let pinned = ProgramGrant { sha256: Sha256Hex::new(&digest), ..grant(&path) };
    let said = shop.run_for(pinned.clone(), &["one"], LONG).await.unwrap();
    assert_eq!((&said["stdout"], &said["exit_code"]), (&"/proc/self/fd/3 one\n".into(), &0.into()), "{said}");
    let checked = open_granted(&pinned).unwrap();
    fs::write(&path, "#!/bin/sh\necho another\n").unwrap();
    let mut kept = String::new();
    std::io::Read::read_to_string(&mut fs::File::from(checked.file), &mut kept).unwrap();
    assert!(kept.contains("$0 $1"), "what was hashed stays: {kept}");
    let refused = shop.run_for(pinned, &[], LONG).await.unwrap_err();
    assert_eq!(refused.code(), "denied", "{refused}");
}

#[tokio::test]
async fn what_is_no_program_is_told_apart() {
    let shop = Shop::new();
    let plain = shop.path("in/f");
    let nonsense = shop.script("in/nonsense", "no program");
    for (path, expected) in [
        (PathBuf::from("/does/not/exist"), "not-found"),
        ("/usr".into(), "bad-args"),
        (plain, "effect-io"),
        (nonsense, "bad-args"),
    ] {
        let refused = shop.run_for(grant(&path), &[], LONG).await.unwrap_err();
        assert_eq!(refused.code(), expected, "{}: {refused}", path.display());
    }
}

#[tokio::test]
async fn a_program_reaches_what_its_policy_says_and_no_more() {
    if !sandbox::can_test("a program reaches what its policy says and no more", 6) {
        return;
    }
    let shop = Shop::new();
    let [inside, outside] = ["in/f", "out/f"].map(|name| shop.path(name).display().to_string());
    let said =
        shop.sh(&format!("cat {inside}; cat {outside}; echo x > {outside}; echo y > {inside}; cat {inside}")).await;
    assert_eq!(said["stdout"], "texty\n", "{said}");
    assert_eq!(fs::read_to_string(shop.path("out/f")).unwrap(), "a secret");
    for script in [
        format!("rm {outside}"),
        format!("ln {outside} {inside}-2 && cat {inside}-2"),
        format!("mknod {inside}-3 c 1 3"),
        "cat /etc/shadow".into(),
        "kill -0 1".into(),
        "ls /proc/1".into(),
        "ls /dev/pts".into(),
        "echo x > /dev/ptmx".into(),
    ] {
        assert_ne!(shop.sh(&script).await["exit_code"], 0, "{script}");
    }
    let said = shop.sh("grep -c . /proc/self/status | head -1; exit 7").await;
    assert_eq!(said["exit_code"], 7, "of /proc it has no process, and runs all the same: {said}");
}

#[tokio::test]
async fn a_flood_is_drained_and_cut_and_an_input_comes_back_whole() {
    let shop = Shop::new();
    let said = shop.sh("head -c 1073741824 /dev/zero; echo end >&2").await;
    assert_eq!((&said["truncated"], &said["exit_code"], &said["stderr"]), (&true.into(), &0.into(), &"end\n".into()));
    let input: Vec<u8> = (0..1 << 20).flat_map(|n: u32| format!("{n:07}\n").into_bytes()).collect();
    let started = shop.start(grant("/bin/cat"), &[], true).await.unwrap();
    let cat = Running::new(started, Some(input.clone().into()), Instant::now() + LONG);
    let mut back = Vec::new();
    while let Some(line) = timeout(LONG, cat.line(super::Stream::Stdout)).await.unwrap() {
        back.extend_from_slice(line.as_bytes());
        back.push(b'\n');
    }
    let (end, truncated) = cat.wait().await;
    assert_eq!(end, ProcessEnd::Exited(0));
    // Whoever reads too slowly is told so.
    assert!(truncated || back == input, "8 MiB came back as {} bytes", back.len());
}

#[tokio::test]
async fn who_outlives_its_parent_is_ended_with_it() {
    let shop = Shop::new();
    let began = Instant::now();
    for script in
        ["sleep 600 & exit 0", "setsid sleep 600 & exit 0", "(setsid sh -c 'sleep 600 & sleep 600' &) ; exit 0"]
    {
        let said = shop.sh(script).await;
        assert_eq!(said["exit_code"], 0, "{script}");
        shop.until_nothing_is_left().await;
    }
    assert!(began.elapsed() < LONG, "nobody was waited for");
}

#[tokio::test]
async fn a_deadline_ends_all_of_it() {
    let shop = Shop::new();
    let late =
        shop.run_for(grant("/bin/sh"), &["-c", "trap '' TERM; sleep 600 & wait"], Duration::from_millis(200)).await;
    assert_eq!(late.unwrap_err(), EffectError::Timeout { phase: "run" });
    shop.until_nothing_is_left().await;
}

#[tokio::test]
async fn a_kill_waits_for_no_reader() {
    let shop = Shop::new();
    let held = Arc::new(shop.hold("while :; do echo flood; done", None).await);
    let waiting = {
        let held = Arc::clone(&held);
        tokio::spawn(async move { held.wait().await })
    };
    assert_eq!(held.line(super::Stream::Stdout).await.as_deref(), Some("flood"));
    let began = Instant::now();
    held.signal(Signal::KILL).unwrap();
    let (end, _) = timeout(LONG, waiting).await.unwrap().unwrap();
    let took = began.elapsed();
    assert!(matches!(end, ProcessEnd::Signaled { signal: 9, .. }), "{end:?}");
    assert!(took < Duration::from_millis(200), "{took:?}");
    held.signal(Signal::TERM).unwrap();
}

#[tokio::test]
async fn lines_are_read_as_they_come_and_end_with_the_program() {
    let shop = Shop::new();
    let held =
        shop.hold("exec 2>&-; trap 'echo caught; exit 4' USR1; echo one; while :; do sleep 0.01; done", None).await;
    assert_eq!(held.line(super::Stream::Stdout).await.as_deref(), Some("one"));
    held.signal(Signal::USR1).unwrap();
    assert_eq!(timeout(LONG, held.line(super::Stream::Stdout)).await.unwrap().as_deref(), Some("caught"));
    assert_eq!(timeout(LONG, held.line(super::Stream::Stdout)).await.unwrap(), None);
    assert_eq!(held.line(super::Stream::Stderr).await, None);
    assert_eq!(held.wait().await, (ProcessEnd::Exited(4), false));
    let long = shop.hold("head -c 100000 /dev/zero | tr '\\0' x; printf '\\nlast'", None).await;
    let lengths = [long.line(super::Stream::Stdout).await, long.line(super::Stream::Stdout).await];
    assert_eq!(lengths.map(|line| line.unwrap().len()), [65_536, 34_464]);
    assert_eq!(long.line(super::Stream::Stdout).await.as_deref(), Some("last"));
}

#[tokio::test]
async fn a_program_that_nobody_holds_any_more_is_ended() {
    let shop = Shop::new();
    let held = shop.hold("sleep 600 & setsid sleep 600 & echo up; wait", None).await;
    assert_eq!(held.line(super::Stream::Stdout).await.as_deref(), Some("up"));
    assert!(!shop.family().is_empty());
    drop(held);
    shop.until_nothing_is_left().await;
}

#[tokio::test]
async fn what_a_killed_daemon_left_is_ended_by_the_next_one() {
    let shop = Shop::new();
    // As if nobody was there any more: it is let go of and not dropped.
    let started = shop.start(grant("/bin/sh"), &["-c", "setsid sleep 600 & sleep 600"], false).await.unwrap();
    let mut leader = std::mem::ManuallyDrop::new(started.leader);
    let deadline = Instant::now() + LONG;
    while shop.family().len() < 3 {
        assert!(Instant::now() < deadline, "{:?}", shop.family());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    super::end_leftovers(&shop.programs.0.root_hash);
    leader.ended().await;
    leader.reap();
    shop.until_nothing_is_left().await;
}

/// Descriptors of this process.
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

async fn many(runs: usize) {
    let shop = Shop::new();
    shop.sh("exit 0").await;
    let before = descriptors();
    for _ in 0..runs {
        assert_eq!(shop.run_for(grant("/bin/true"), &[], LONG).await.unwrap()["exit_code"], 0);
    }
    // Other tests of this process open some too, each of them a handful.
    assert!(descriptors() < before + 100, "{before} before, {} after {runs} runs", descriptors());
    let own = std::process::id().to_string();
    let is_zombie = |stat: &str| {
        let mut rest = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        rest.next() == Some("Z") && rest.next() == Some(&own) && stat.contains("(true)")
    };
    let stats =
        fs::read_dir("/proc").unwrap().filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("stat")).ok());
    assert_eq!(stats.filter(|stat| is_zombie(stat)).count(), 0);
}

#[tokio::test]
async fn runs_leave_neither_zombies_nor_descriptors() {
    many(200).await;
}

#[tokio::test]
#[ignore = "the same at length"]
async fn ten_thousand_runs_leave_neither_zombies_nor_descriptors() {
    many(10_000).await;
}
