//! `/proc/<pid>/stat`, read past the trap in its second field.
//!
//! The command's name stands in parentheses and may hold spaces and parentheses itself, so the fields are counted
//! from the *last* closing one. Numbers of fields as in proc(5).

use std::{fs, io};

/// What is used of a process's stat line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcStat {
    /// The short name (field 2), as the process chose it: foreign text.
    pub comm: String,
    /// `R`, `S`, `D`, `Z`, … (field 3).
    pub state: char,
    /// The parent (field 4).
    pub ppid: i32,
    /// The process group (field 5).
    pub group: i32,
    /// The session (field 6).
    pub session: i32,
    /// Page faults that needed no disk (field 10).
    pub minor_faults: u64,
    /// Page faults that did (field 12).
    pub major_faults: u64,
    /// Time in user mode, clock ticks (field 14).
    pub user_ticks: u64,
    /// Time in the kernel, clock ticks (field 15).
    pub system_ticks: u64,
    /// Start, clock ticks since boot (field 22): with the pid, it names a process for this boot.
    pub start_ticks: u64,
}

/// Reads the stat line of `pid`.
///
/// # Errors
/// `NotFound` when there is no such process; `InvalidData` when the line is not as proc(5) says.
pub fn read(pid: i32) -> io::Result<ProcStat> {
    let line = fs::read(format!("/proc/{pid}/stat"))?;
    parse(&String::from_utf8_lossy(&line)).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn parse(line: &str) -> Option<ProcStat> {
    let (head, tail) = line.rsplit_once(')')?;
    let (_pid, comm) = head.split_once('(')?;
    // `tail` begins with field 3.
    let fields: Vec<&str> = tail.split_ascii_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).copied();
    let count = |number: usize| field(number)?.parse().ok();
    Some(ProcStat {
        comm: comm.to_owned(),
        state: field(3)?.chars().next()?,
        ppid: field(4)?.parse().ok()?,
        group: field(5)?.parse().ok()?,
        session: field(6)?.parse().ok()?,
        minor_faults: count(10)?,
        major_faults: count(12)?,
        user_ticks: count(14)?,
        system_ticks: count(15)?,
        start_ticks: count(22)?,
    })
}

/// `ticks` of the kernel's clock in milliseconds.
pub fn ticks_to_ms(ticks: u64) -> u64 {
    ticks.saturating_mul(1_000) / rustix::param::clock_ticks_per_second().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_parentheses_shifts_no_field() {
        let tail = "S 42 7 7 0 -1 4194560 10 0 12 0 14 15 0 0 20 0 1 0 2222 1000 300 18446744073709551615";
        for comm in ["tmux: server", "a) S 1 (b", ")", ""] {
            let stat = parse(&format!("99 ({comm}) {tail}\n")).unwrap();
            assert_eq!((stat.comm.as_str(), stat.state, stat.ppid), (comm, 'S', 42));
            assert_eq!((stat.minor_faults, stat.major_faults), (10, 12));
            assert_eq!((stat.user_ticks, stat.system_ticks, stat.start_ticks), (14, 15, 2222));
        }
        for bad in ["", "99 (x", "99 (x) S 1", "99 (x) S one 7"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn this_process_has_a_parent_and_a_start() {
        let me = read(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert!(me.ppid > 0 && me.start_ticks > 0);
        assert_eq!(read(i32::MAX).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
