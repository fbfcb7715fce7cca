//! Whatever a session did, nothing of it is left when it has ended: descriptors and processes are counted exactly.
//!
//! Descriptors belong to a process, and tests share one. So the rounds have a process of their own: this binary again,
//! with one test by name.

use super::families::Town;
use crate::support::{Said, bearers};
use std::{collections::BTreeMap, fmt, fs, path::Path, process::Command, time::Duration};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// Whoever runs all ignored tests does not set it.
const ASKED: &str = "COALMINE_COUNT_LEFTOVERS";
const ROUNDS: usize = 20;
/// How often in a row the same is to be counted before it is believed, and how far apart.
const ALIKE: usize = 25;
const BETWEEN: Duration = Duration::from_millis(10);
/// How long the last session's end may take on a loaded machine.
const ENDS_IN: Duration = Duration::from_secs(20);

/// Where the other process has its fleet: what is left there goes with it, also where that process was killed.
struct Ground(TempDir);

impl Drop for Ground {
    fn drop(&mut self) {
        for root in fs::read_dir(self.0.path()).into_iter().flatten().flatten() {
            bearers::clear(&root.path());
        }
    }
}

#[test]
fn rounds_of_every_family_leave_no_descriptor_and_no_process() {
    let ground = Ground(tempfile::Builder::new().prefix("cml-").tempdir().unwrap());
    #[allow(clippy::disallowed_methods, reason = "this very binary, which is a test's")]
    let own = std::env::current_exe().unwrap();
    let mut rounds = Command::new(own);
    rounds.args(["--exact", "effects::leftovers::rounds", "--ignored", "--nocapture", "--test-threads=1"]);
    let said = Said::of(rounds.env(ASKED, "1").env("TMPDIR", ground.0.path()));
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    assert!(said.out.contains(&format!("{ROUNDS} rounds left nothing: ")), "it did not run: {said:?}");
    println!("{}", said.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "counts what its whole process has: run by another test, alone"]
async fn rounds() {
    if std::env::var_os(ASKED).is_none() {
        return;
    }
    let town = Town::new().await;
    // Whatever is made once and kept is made here.
    town.round().await;
    let before = settled(town.root()).await;
    for _ in 0..ROUNDS {
        town.round().await;
    }
    let deadline = Instant::now() + ENDS_IN;
    loop {
        let after = Count::of(town.root());
        if after == before {
            break;
        }
        assert!(Instant::now() < deadline, "after {ROUNDS} rounds there is more, or less:\n{}", after.over(&before));
        sleep(BETWEEN).await;
    }
    println!("{ROUNDS} rounds left nothing: {before}");
    // The count sees what it is to see.
    let kept = (fs::File::open("/dev/null").unwrap(), town.session("alice").await);
    town.leave_a_program_running(&kept.1).await;
    let over = Count::of(town.root()).over(&before);
    assert!(over.contains("+1 /dev/null") && over.contains("process sleep 3600"), "{over}");
    kept.1.end();
}

/// What there is once nothing changes any more.
async fn settled(root: &Path) -> Count {
    let deadline = Instant::now() + ENDS_IN;
    let (mut last, mut alike) = (Count::of(root), 0);
    while alike < ALIKE {
        assert!(Instant::now() < deadline, "it never settles: {last:?}");
        sleep(BETWEEN).await;
        let now = Count::of(root);
        alike = if now == last { alike + 1 } else { 0 };
        last = now;
    }
    last
}

/// How many there are of each kind of descriptor of this process, and of each process that is its own or bears a mark.
#[derive(Debug, PartialEq, Eq)]
struct Count {
    descriptors: BTreeMap<String, i64>,
    processes: BTreeMap<String, i64>,
}

impl Count {
    fn of(root: &Path) -> Self {
        let mut count = Self { descriptors: BTreeMap::new(), processes: BTreeMap::new() };
        for entry in fs::read_dir("/proc/self/fd").unwrap() {
            // The one that reads this folder is gone when it is looked at, or is itself.
            let Ok(target) = fs::read_link(entry.unwrap().path()) else { continue };
            // `socket:[123]` and `pipe:[123]` are each another one.
            let target = target.to_string_lossy().into_owned();
            let kind = target.split(":[").next().filter(|kind| ["socket", "pipe"].contains(kind));
            *count.descriptors.entry(kind.map(ToOwned::to_owned).unwrap_or(target)).or_default() += 1;
        }
        let mut pids: Vec<i32> = bearers::pids(root);
        for thread in fs::read_dir("/proc/self/task").unwrap().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            pids.extend(children.split_whitespace().map(|pid| pid.parse::<i32>().unwrap()));
        }
        pids.sort_unstable();
        pids.dedup();
        for pid in pids {
            let name = format!("process {}", what_it_is(pid));
            *count.processes.entry(name).or_default() += 1;
        }
        count
    }

    /// What there is more of than then, and less of, a line each.
    fn over(&self, then: &Self) -> String {
        let changes = |now: &BTreeMap<String, i64>, then: &BTreeMap<String, i64>| -> Vec<String> {
            let of = |map: &BTreeMap<String, i64>, kind: &String| map.get(kind).copied().unwrap_or(0);
            let kinds: std::collections::BTreeSet<_> = now.keys().chain(then.keys()).collect();
            let differ = kinds.into_iter().map(|kind| (of(now, kind) - of(then, kind), kind));
            differ.filter(|(by, _)| *by != 0).map(|(by, kind)| format!("{by:+} {kind}")).collect()
        };
        let mut lines = changes(&self.descriptors, &then.descriptors);
        lines.extend(changes(&self.processes, &then.processes));
        lines.join("\n")
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |map: &BTreeMap<String, i64>| map.values().sum::<i64>();
        write!(f, "{} descriptors and {} processes", sum(&self.descriptors), sum(&self.processes))
    }
}

/// Its command line; where that is gone, as of a zombie, its name and state.
fn what_it_is(pid: i32) -> String {
    let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = cmdline.split(|byte| *byte == 0).filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        return stat.split_once(' ').map_or_else(String::new, |(_, rest)| rest.chars().take(20).collect());
    }
    words.into_iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}
