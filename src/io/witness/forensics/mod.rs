//! What the host looked like when a server died: the body of a record, gathered within a tenth of a second.
//!
//! Sections are independent: one that is late, too long or not readable says `skipped=<why>` and costs no other.
//! Everything that a process could have chosen (names, arguments, output) is escaped, so that reading a record in
//! a terminal is safe.

mod core_dumps;
mod escape;
mod kernel_log;
mod pane_tail;
mod processes;
mod report;
mod system;

pub use escape::escape;
pub use kernel_log::KernelLog;

use super::{cause::OomSigns, clock, death::Death, oom};
use report::Report;

/// Longest body of a record, bytes; with its head it stays within 256 KiB.
pub const BODY_BYTES_MAX: usize = 252 * 1024;
/// How long one section may take, milliseconds.
pub const SECTION_MS_MAX: u64 = 20;
/// How long all of them may take, milliseconds; sections that would begin later are skipped.
pub const TOTAL_MS_MAX: u64 = 50;

/// The body, and the signs in it from which the cause follows.
#[derive(Debug, Clone)]
pub struct Findings {
    /// The sections, the first one after an empty line.
    pub text: String,
    /// Whether the OOM killer was at work.
    pub oom: OomSigns,
}

/// Gathers the sections about `death`. What fades first is read first: the counters and the kernel log.
pub fn gather(death: &Death, kernel_log: &mut KernelLog) -> Findings {
    let mut report = Report::new(clock::boot_ms() + TOTAL_MS_MAX);
    let now = oom::now(death.oom.events_file.as_deref());
    let log = death.server_pid.map(|pid| kernel_log.about(pid, death.started_boot_ms, report.section_ends()));
    let oom = OomSigns {
        counter_rose: now.rose_since(&death.oom.counters),
        log_names_server: log.as_ref().is_some_and(|log| log.oom_killed),
    };
    report.section("end", |section| system::end(section, death));
    report.section("oom", |section| system::oom(section, &death.oom, now));
    report.section("processes", processes::largest);
    for (name, path) in system::FILES {
        report.section(name, |section| system::file(section, path));
    }
    report.section("kernel log", |section| match log {
        Some(log) => log.print(section),
        None => Err(report::Skip::Because("the server's pid is not known".into())),
    });
    report.section("core dumps", core_dumps::newest);
    report.section("pane log", |section| pane_tail::last_lines(section, death.pane_log.as_deref()));
    for (name, text) in &death.more {
        report.section(name, |section| text.lines().try_for_each(|line| section.foreign(line)));
    }
    Findings { text: report.into_text(), oom }
}

#[cfg(test)]
mod tests {
    use super::{super::status::EndStatus, *};
    use std::fs;

    #[test]
    fn a_record_of_this_host_has_all_sections_within_its_limits() {
        let root = tempfile::tempdir().unwrap();
        let pane_log = root.path().join("pane.log");
        fs::write(&pane_log, "\u{1b}[2Jlast words\n").unwrap();
        let me = i32::try_from(std::process::id()).unwrap();
        let mut death = Death::noticed_now(Some(me), EndStatus::Unknown, clock::boot_ms());
        death.pane_log = Some(pane_log);
        death.more.push(("last events", "ev=up".into()));
        let text = gather(&death, &mut KernelLog::open()).text;
        for section in ["end", "oom", "processes", "meminfo", "kernel log", "core dumps", "pane log", "last events"] {
            assert!(text.contains(&format!("\n[{section}]\n")), "{section}: {text}");
        }
        assert!(text.starts_with("\n[end]\nstatus=unknown\n"));
        assert!(text.len() <= BODY_BYTES_MAX);
    }
}
