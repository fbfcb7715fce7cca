//! The machine that was measured on; a number without it means nothing.

use std::process::Command;

/// What the numbers depend on most.
#[derive(Debug)]
pub struct Host(Vec<String>);

impl Host {
    /// Looks at it now.
    pub fn look() -> Self {
        let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = file("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let cpus = std::thread::available_parallelism().map_or(0, usize::from);
        let tmux = Command::new("tmux").arg("-V").output().map(|output| output.stdout).unwrap_or_default();
        Self(vec![
            format!("{cpus} CPUs, {}", model.map_or("unknown model", |(_, model)| model)),
            format!("Linux {}, {}", file("/proc/sys/kernel/osrelease").trim(), String::from_utf8_lossy(&tmux).trim()),
            format!("load average at the end: {}", file("/proc/loadavg").trim()),
        ])
    }

    /// One fact a line.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}
