//! What /proc tells of a process: memory and context switches.

use super::Outcome;
use std::fs;

/// A process's memory, KiB.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// Resident, shared pages counted in full.
    pub rss_kib: u64,
    /// Proportional: a page that three processes share counts a third for each.
    pub pss_kib: u64,
    /// Proportional, of anonymous pages alone: what only this process needs.
    pub pss_anon_kib: u64,
}

impl Memory {
    /// From `smaps_rollup`.
    pub fn of(pid: u32) -> Outcome<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB"));
            value.and_then(|value| value.trim().parse().ok()).ok_or_else(|| format!("{name} is missing"))
        };
        Ok(Self { rss_kib: field("Rss:")?, pss_kib: field("Pss:")?, pss_anon_kib: field("Pss_Anon:")? })
    }
}

/// How often the threads of a process have been switched in, voluntarily or not: one that sleeps stays where it is.
pub fn switches(pid: u32) -> Outcome<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(task?.path().join("status"))?;
        let counts = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
        sum += counts.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum::<u64>();
    }
    Ok(sum)
}
