//! The 25 largest processes: who held the memory when the server died.
//!
//! All of /proc is scanned by `statm`, the cheapest file that knows the size; only those that made the list are
//! asked for more.

use super::{
    super::{clock, proc_stat},
    escape,
    report::{Section, Skip},
};
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fmt::Write,
    fs::{self, File},
    io::Read,
};

/// How many are listed.
const LISTED_MAX: usize = 25;
/// How much of a command line is shown, bytes before escaping.
const COMMAND_BYTES_MAX: usize = 256;
/// Time that is left for the list itself when the scan must stop, milliseconds.
const LIST_MS: u64 = 5;

/// Prints the largest processes, largest first; those that were found in time where there was too little of it.
pub(super) fn largest(section: &mut Section<'_>) -> Result<(), Skip> {
    let scan = scan(section.until_ms().saturating_sub(LIST_MS))?;
    section.line(&format!("scanned={}", scan.count))?;
    section.line("pid ppid rss_kib age_s state command")?;
    let page_kib = u64::try_from(rustix::param::page_size() / 1024).unwrap_or(4);
    // The order of `Reverse` is the reverse: the largest come first.
    for Reverse((pages, pid)) in scan.largest.into_sorted_vec() {
        // Gone since the scan.
        let Ok(stat) = proc_stat::read(pid) else { continue };
        let age_s = clock::boot_ms().saturating_sub(proc_stat::ticks_to_ms(stat.start_ticks)) / 1_000;
        let command = command(pid, &stat);
        section.line(&format!("{pid} {} {} {age_s} {} {command}", stat.ppid, pages * page_kib, stat.state))?;
    }
    if scan.whole { Ok(()) } else { Err(Skip::Late) }
}

struct Scan {
    /// How many processes were seen.
    count: usize,
    /// The largest of them by resident pages; the smallest on top, to be driven out.
    largest: BinaryHeap<Reverse<(u64, i32)>>,
    /// Whether there was time for all.
    whole: bool,
}

fn scan(until_ms: u64) -> Result<Scan, Skip> {
    let mut scan = Scan { count: 0, largest: BinaryHeap::with_capacity(LISTED_MAX + 1), whole: true };
    let mut path = String::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if clock::boot_ms() >= until_ms {
            scan.whole = false;
            break;
        }
        path.clear();
        // Writing into a string can not fail.
        let _infallible = write!(path, "/proc/{pid}/statm");
        let Some(pages) = resident_pages(&path) else { continue };
        scan.count += 1;
        scan.largest.push(Reverse((pages, pid)));
        if scan.largest.len() > LISTED_MAX {
            scan.largest.pop();
        }
    }
    Ok(scan)
}

/// The second number of `statm`; nothing where the process is gone.
fn resident_pages(path: &str) -> Option<u64> {
    let mut statm = [0; 128];
    let length = File::open(path).ok()?.read(&mut statm).ok()?;
    std::str::from_utf8(&statm[..length]).ok()?.split(' ').nth(1)?.parse().ok()
}

/// The command line, escaped; the short name in brackets where there is none, or where it is not safe to ask.
fn command(pid: i32, stat: &proc_stat::ProcStat) -> String {
    // Reading the command line takes the process's memory lock, for which one that waits for a disk may let us wait.
    let line = if stat.state == 'D' { None } else { command_line(pid) };
    line.unwrap_or_else(|| format!("[{}]", escape(&stat.comm)))
}

fn command_line(pid: i32) -> Option<String> {
    let mut bytes = [0; COMMAND_BYTES_MAX];
    let length = File::open(format!("/proc/{pid}/cmdline")).ok()?.read(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes[..length]);
    let words = text.trim_end_matches('\0').replace('\0', " ");
    (!words.is_empty()).then(|| escape(&words))
}
