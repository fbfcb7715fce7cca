//! The host's and the server's own numbers: status and usage, OOM counters, memory, swap, pressure.

use super::{
    super::{
        death::Death,
        oom::{OomBaseline, OomCounters},
    },
    report::{Section, Skip},
};
use std::{
    fs::File,
    io::{Read, Result as IoResult},
    path::Path,
};

/// Most that is read of one file, bytes; those of /proc that are read here are shorter.
const FILE_BYTES_MAX: u64 = 8 * 1024;

/// Files that are copied as they are, each into a section of this name.
pub(super) const FILES: [(&str, &str); 6] = [
    ("meminfo", "/proc/meminfo"),
    ("swaps", "/proc/swaps"),
    ("pressure memory", "/proc/pressure/memory"),
    ("pressure cpu", "/proc/pressure/cpu"),
    ("pressure io", "/proc/pressure/io"),
    ("loadavg", "/proc/loadavg"),
];

/// How the server ended, and what it had used.
pub(super) fn end(section: &mut Section<'_>, death: &Death) -> Result<(), Skip> {
    section.line(&format!("status={}", death.status))?;
    let usage = death.usage.ok_or_else(|| Skip::Because("usage: reaped before this witness could ask".into()))?;
    section.line(&format!("user_ms={} system_ms={}", usage.user_ms, usage.system_ms))?;
    section.line(&format!("minor_faults={} major_faults={}", usage.minor_faults, usage.major_faults))?;
    match usage.rss_kib_max {
        Some(kib) => section.line(&format!("rss_kib_max={kib}")),
        None => Ok(()),
    }
}

/// The OOM counters with their change since the witness was armed, and the cgroup's events.
pub(super) fn oom(section: &mut Section<'_>, armed: &OomBaseline, now: OomCounters) -> Result<(), Skip> {
    for (name, before, now) in
        [("host_oom_kill", armed.counters.host, now.host), ("cgroup_oom_kill", armed.counters.cgroup, now.cgroup)]
    {
        let now_text = now.map_or_else(|| "unknown".into(), |count| count.to_string());
        let rise = before.zip(now).map(|(before, now)| now.saturating_sub(before));
        let rise_text = rise.map_or_else(|| "unknown".into(), |rise| rise.to_string());
        section.line(&format!("{name}={now_text} since_arming={rise_text}"))?;
    }
    match &armed.events_file {
        Some(events) => file(section, events),
        None => Err(Skip::Because("memory.events: not known for this server".into())),
    }
}

/// A file as it is.
pub(super) fn file(section: &mut Section<'_>, path: impl AsRef<Path>) -> Result<(), Skip> {
    let text = read(path.as_ref())?;
    text.lines().try_for_each(|line| section.foreign(line))
}

fn read(path: &Path) -> IoResult<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
