//! The kernel's counters of processes that the OOM killer took.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

/// How much of a counters' file is looked at at once, bytes; its lines are far shorter.
const WINDOW_BYTES: usize = 512;

/// Counters at one moment; one that can not be read is absent, which is no zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OomCounters {
    /// Of the whole host: `oom_kill` in /proc/vmstat.
    pub host: Option<u64>,
    /// Of the server's cgroup: `oom_kill` in its `memory.events`, or in `memory.oom_control` of cgroup v1.
    pub cgroup: Option<u64>,
}

impl OomCounters {
    /// Whether one of the counters is higher than in `before`. A counter that is absent in either did not rise.
    pub fn rose_since(&self, before: &Self) -> bool {
        let rose = |before: Option<u64>, now: Option<u64>| before.zip(now).is_some_and(|(before, now)| now > before);
        rose(before.host, self.host) || rose(before.cgroup, self.cgroup)
    }
}

/// The counters when a witness was armed, and where to look for them again: a dead process names its cgroup no more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OomBaseline {
    /// The file of the server's cgroup that counts.
    pub events_file: Option<PathBuf>,
    /// What the counters were.
    pub counters: OomCounters,
}

impl OomBaseline {
    /// Reads the counters for a live process.
    pub fn of(pid: i32) -> Self {
        let events_file = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok().and_then(|text| events_file(&text));
        let counters = now(events_file.as_deref());
        Self { events_file, counters }
    }
}

/// Whether the OOM killer took a process of the life `mark`, whose server is `server`. Its group was made for this one
/// life and counts from zero; of a group that others share, or that is gone, nothing can be said.
pub fn took_of_life(server: i32, mark: &str) -> bool {
    let cgroups = fs::read_to_string(format!("/proc/{server}/cgroup")).ok();
    let file = cgroups.and_then(|text| events_file(&text)).filter(|file| is_of_life(file, mark));
    file.and_then(|file| counter(&file)).is_some_and(|count| count > 0)
}

/// Groups are named `coalmine-<mark>`, scopes `coalmine-<mark>.scope`.
fn is_of_life(file: &Path, mark: &str) -> bool {
    let group = file.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let life = group.and_then(|name| name.strip_prefix("coalmine-"));
    life.is_some_and(|life| life.strip_suffix(".scope").unwrap_or(life) == mark)
}

/// The counters as they are, with those of the cgroup whose file is given.
pub fn now(events_file: Option<&Path>) -> OomCounters {
    OomCounters { host: counter(Path::new("/proc/vmstat")), cgroup: events_file.and_then(counter) }
}

/// Where a process in the cgroups of `/proc/<pid>/cgroup` has its kills counted; on a host with both versions the
/// second one is mounted below the first, and only one of them counts memory.
fn events_file(cgroups: &str) -> Option<PathBuf> {
    let version_one = group(cgroups, "memory").map(|group| ("/sys/fs/cgroup/memory", group, "memory.oom_control"));
    let version_two = group(cgroups, "")
        .into_iter()
        .flat_map(|group| ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(|mount| (mount, group, "memory.events")));
    version_one
        .into_iter()
        .chain(version_two)
        .map(|(mount, group, file)| Path::new(mount).join(group).join(file))
        .find(|file| file.is_file())
}

/// The group in the hierarchy of this controller, without its first slash; the second version's has no name.
fn group<'text>(cgroups: &'text str, controller: &str) -> Option<&'text str> {
    cgroups.lines().find_map(|line| {
        let (_number, named) = line.split_once(':')?;
        named.strip_prefix(controller)?.strip_prefix(":/")
    })
}

/// Reads the file piece by piece: whole, /proc/vmstat would be the largest thing that a canary ever holds.
fn counter(file: &Path) -> Option<u64> {
    let mut file = File::open(file).ok()?;
    let mut window = [0; WINDOW_BYTES];
    let mut filled = 0;
    loop {
        let length = file.read(&mut window[filled..]).ok()?;
        filled += length;
        let end = if length == 0 { filled } else { window[..filled].iter().rposition(|&byte| byte == b'\n')? + 1 };
        if let Some(count) = oom_kill(std::str::from_utf8(&window[..end]).ok()?) {
            return Some(count);
        }
        if length == 0 {
            return None;
        }
        // The line that is cut here is read on with the next piece.
        window.copy_within(end..filled, 0);
        filled -= end;
    }
}

fn oom_kill(lines: &str) -> Option<u64> {
    lines.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_counter_is_found_among_its_likes() {
        assert_eq!(oom_kill("low 0\noom 3\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(oom_kill("oom 3\n"), None);
        assert_eq!(oom_kill("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"), Some(4));
        assert_eq!(events_file("9:memory:/no/such/group\n"), None);
        assert_eq!(group("9:cpu:/y\n4:memory:/a/b\n0::/\n", "memory"), Some("a/b"));
        assert_eq!(group("9:cpu:/y\n0::/c\n", ""), Some("c"));
    }

    #[test]
    fn only_a_group_that_was_made_for_the_life_speaks_of_it() {
        for (file, own) in [
            ("/m/coalmine-0a-shell-bob-g7/memory.oom_control", true),
            ("/m/coalmine-0a-shell-bob-g7.scope/memory.events", true),
            ("/m/coalmine-0a-shell-bob-g71/memory.events", false),
            ("/m/user.slice/memory.events", false),
        ] {
            assert_eq!(is_of_life(Path::new(file), "0a-shell-bob-g7"), own, "{file}");
        }
    }

    #[test]
    fn a_counter_is_found_wherever_the_file_is_cut() {
        for before in 0..2 * WINDOW_BYTES {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            for n in 0..before / 8 {
                writeln!(file, "x {}{}", n % 10, ".".repeat(4)).unwrap();
            }
            writeln!(file, "y {}\noom_kill {before}\nz 1", "1".repeat(before % 8)).unwrap();
            assert_eq!(counter(file.path()), Some(u64::try_from(before).unwrap()));
        }
    }

    #[test]
    fn an_absent_counter_did_not_rise() {
        let at = |host, cgroup| OomCounters { host, cgroup };
        for (before, now, rose) in [
            (at(Some(1), Some(1)), at(Some(1), Some(1)), false),
            (at(Some(1), None), at(Some(2), None), true),
            (at(Some(1), Some(0)), at(Some(1), Some(1)), true),
            (at(None, None), at(Some(5), Some(5)), false),
            (at(Some(5), Some(5)), at(None, None), false),
        ] {
            assert_eq!(now.rose_since(&before), rose, "{before:?} {now:?}");
        }
    }

    #[test]
    fn this_host_has_a_counter() {
        let me = OomBaseline::of(i32::try_from(std::process::id()).unwrap());
        assert!(me.counters.host.is_some());
    }
}
