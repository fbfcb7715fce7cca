//! What the kernel said about one process, from /dev/kmsg, read without ever waiting.

use super::{
    super::clock,
    report::{Section, Skip},
};
use rustix::fs::{OFlags, SeekFrom, seek};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
};

/// Longest record that the kernel hands out, bytes.
const RECORD_BYTES_MAX: usize = 8 * 1024;
/// Most lines that are kept.
const LINES_MAX: usize = 64;
/// How far the kernel log's clock may be behind ours, milliseconds.
const CLOCK_SLACK_MS: u64 = 1_000;

/// The kernel log, open at a position; or why it is not.
#[derive(Debug)]
pub struct KernelLog(io::Result<File>);

impl KernelLog {
    /// From the oldest record that the kernel still has: for a witness that comes afterwards.
    pub fn open() -> Self {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
        Self(OpenOptions::new().read(true).custom_flags(flags).open("/dev/kmsg"))
    }

    /// From now on: for a witness that is armed now, which then need not read what was before.
    pub fn from_now_on() -> Self {
        Self(Self::open().0.and_then(|log| Ok(seek(&log, SeekFrom::End(0)).map(|_position| log)?)))
    }

    /// Reads on to the end, or until `until_ms` (since boot), and keeps what concerns `pid` since its life began.
    pub(super) fn about(&mut self, pid: i32, started_boot_ms: u64, until_ms: u64) -> About {
        let mut about = About { lines: Vec::new(), oom_killed: false, incomplete: None };
        // The log's clock stands still while the host sleeps, so a span on it is at most as long as ours.
        let alive_ms = clock::boot_ms().saturating_sub(started_boot_ms);
        let since_us = clock::awake_ms().saturating_sub(alive_ms).saturating_sub(CLOCK_SLACK_MS) * 1_000;
        about.incomplete = match &mut self.0 {
            Ok(log) => read_on(log, until_ms, |record| about.take(record, pid, since_us)).err(),
            Err(error) => Some(Skip::Because(error.to_string())),
        };
        about
    }
}

fn read_on(log: &mut File, until_ms: u64, mut take: impl FnMut(&str)) -> Result<(), Skip> {
    let mut record = [0; RECORD_BYTES_MAX];
    loop {
        if clock::boot_ms() >= until_ms {
            return Err(Skip::Late);
        }
        match log.read(&mut record) {
            Ok(0) => return Ok(()),
            Ok(length) => take(&String::from_utf8_lossy(&record[..length])),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            // Records were overwritten before we came to them: the next read goes on with the oldest there is.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What the kernel said about one process.
#[derive(Debug)]
pub(super) struct About {
    lines: Vec<String>,
    /// Whether one of the lines says that the OOM killer took it.
    pub(super) oom_killed: bool,
    /// Why there may be more.
    incomplete: Option<Skip>,
}

impl About {
    /// `record` is `level,sequence,microseconds,flags;text` and lines of further data.
    fn take(&mut self, record: &str, pid: i32, since_us: u64) {
        let Some((head, body)) = record.split_once(';') else { return };
        let said_us = head.split(',').nth(2).and_then(|number| number.parse::<u64>().ok()).unwrap_or(0);
        let text = body.lines().next().unwrap_or_default();
        if said_us < since_us || !names(text, pid) {
            return;
        }
        self.oom_killed |=
            text.contains("Killed process") || text.contains("oom_reaper:") || text.contains("oom-kill:");
        if self.lines.len() < LINES_MAX {
            self.lines.push(format!("{}.{:06} {text}", said_us / 1_000_000, said_us % 1_000_000));
        }
    }

    pub(super) fn print(self, section: &mut Section<'_>) -> Result<(), Skip> {
        self.lines.iter().try_for_each(|line| section.foreign(line))?;
        section.line(&format!("lines={}", self.lines.len()))?;
        self.incomplete.map_or(Ok(()), Err)
    }
}

/// Whether a line of the kernel's names this process: `process 42`, `pid=42`, `tmux[42]`. A bare number is not enough.
fn names(text: &str, pid: i32) -> bool {
    let digits = pid.to_string();
    text.match_indices(&digits).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + digits.len()..]);
        let named = ["process ", "pid=", "pid ", "pid: ", "PID: ", "["].iter().any(|word| before.ends_with(word));
        named && !after.starts_with(|c: char| c.is_ascii_digit() || c == '.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_named_by_more_than_a_number() {
        for (line, oom, named) in [
            ("Out of memory: Killed process 4242 (tmux: server) total-vm:1kB", true, true),
            ("oom-kill:constraint=CONSTRAINT_MEMCG,task=tmux,pid=4242,uid=1000", true, true),
            ("oom_reaper: reaped process 4242 (tmux), now anon-rss:0kB", true, true),
            ("tmux: server[4242]: segfault at 0 ip 00 sp 00 error 4", false, true),
            ("Out of memory: Killed process 42421 (x)", false, false),
            ("Out of memory: Killed process 14242 (x)", false, false),
            ("usb 1-1: idVendor=4242", false, false),
            ("[4242.000001] x", false, false),
        ] {
            let mut about = About { lines: Vec::new(), oom_killed: false, incomplete: None };
            about.take(&format!("6,1,2000000,-;{line}\n SUBSYSTEM=x\n"), 4242, 1_000_000);
            assert_eq!((about.lines.len() == 1, about.oom_killed), (named, oom), "{line}");
        }
    }

    #[test]
    fn what_was_said_before_the_life_began_is_about_another() {
        let mut about = About { lines: Vec::new(), oom_killed: false, incomplete: None };
        about.take("6,1,999999,-;Killed process 4242 (x)", 4242, 1_000_000);
        assert!(!about.oom_killed && about.lines.is_empty());
    }

    #[test]
    fn reading_never_waits() {
        for mut log in [KernelLog::open(), KernelLog::from_now_on()] {
            let about = log.about(i32::MAX, clock::boot_ms(), clock::boot_ms() + 10_000);
            assert!(!about.oom_killed);
        }
    }
}
