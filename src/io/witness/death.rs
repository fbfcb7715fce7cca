//! What a witness knows of a death before it draws the record up.

use super::{clock, oom::OomBaseline, proc_stat, status::EndStatus};
use jiff::Timestamp;
use std::path::PathBuf;

/// An ended server, as its witness saw it.
#[derive(Debug, Clone)]
pub struct Death {
    /// The server's process, where it was ever known.
    pub server_pid: Option<i32>,
    /// How it ended.
    pub status: EndStatus,
    /// When the witness noticed.
    pub noticed: Timestamp,
    /// The same moment, milliseconds since boot.
    pub noticed_boot_ms: u64,
    /// When the life began, milliseconds since boot.
    pub started_boot_ms: u64,
    /// The span in which it happened, where nobody looked at that time.
    pub window: Option<(Timestamp, Timestamp)>,
    /// The OOM counters when the witness was armed.
    pub oom: OomBaseline,
    /// What the server had used, where the witness could still learn it.
    pub usage: Option<Usage>,
    /// The log of the pane, with its last output.
    pub pane_log: Option<PathBuf>,
    /// Further sections for the record, `(name, text)`: the daemon adds its last events of the identity.
    pub more: Vec<(&'static str, String)>,
}

impl Death {
    /// A death that is noticed now; everything that need not be known is absent.
    pub fn noticed_now(server_pid: Option<i32>, status: EndStatus, started_boot_ms: u64) -> Self {
        Self {
            server_pid,
            status,
            noticed: Timestamp::now(),
            noticed_boot_ms: clock::boot_ms(),
            started_boot_ms,
            window: None,
            oom: OomBaseline::default(),
            usage: None,
            pane_log: None,
            more: Vec::new(),
        }
    }

    /// How long the life lasted, seconds.
    pub fn up_s(&self) -> u64 {
        self.noticed_boot_ms.saturating_sub(self.started_boot_ms) / 1_000
    }
}

/// What a process had used when it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in user mode, milliseconds.
    pub user_ms: u64,
    /// Processor time in the kernel, milliseconds.
    pub system_ms: u64,
    /// Page faults that needed no disk.
    pub minor_faults: u64,
    /// Page faults that did.
    pub major_faults: u64,
    /// The most memory it ever held, KiB; only its parent learns that.
    pub rss_kib_max: Option<u64>,
}

impl Usage {
    /// Of a process that has ended and was not reaped yet, known by its pid and its start.
    pub fn of_zombie(pid: i32, start_ticks: u64) -> Option<Self> {
        let stat = proc_stat::read(pid).ok().filter(|stat| stat.start_ticks == start_ticks)?;
        Some(Self {
            user_ms: proc_stat::ticks_to_ms(stat.user_ticks),
            system_ms: proc_stat::ticks_to_ms(stat.system_ticks),
            minor_faults: stat.minor_faults,
            major_faults: stat.major_faults,
            rss_kib_max: None,
        })
    }
}
