//! How a process ended, from the kernel's wait status.

use std::{fmt, str::FromStr};

/// How a process ended, as far as could be learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndStatus {
    /// It exited with this status.
    Exited(i32),
    /// A signal ended it.
    Signaled {
        /// The signal's number.
        signal: i32,
        /// Whether it left a core dump, or would have but for its limits.
        core: bool,
    },
    /// It is gone, and nobody could tell how.
    Unknown,
}

impl EndStatus {
    /// Reads a status as `wait(2)` returns it. A status of a process that lives is `Unknown`.
    pub fn from_wait_status(raw: i32) -> Self {
        if libc::WIFEXITED(raw) {
            Self::Exited(libc::WEXITSTATUS(raw))
        } else if libc::WIFSIGNALED(raw) {
            Self::Signaled { signal: libc::WTERMSIG(raw), core: libc::WCOREDUMP(raw) }
        } else {
            Self::Unknown
        }
    }
}

impl fmt::Display for EndStatus {
    /// `exit:0`, `signal:9`, `signal:11+core` or `unknown`, as records write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exit:{status}"),
            Self::Signaled { signal, core: false } => write!(f, "signal:{signal}"),
            Self::Signaled { signal, core: true } => write!(f, "signal:{signal}+core"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// A text that is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAStatus;

impl FromStr for EndStatus {
    type Err = NotAStatus;
    fn from_str(text: &str) -> Result<Self, NotAStatus> {
        let number = |digits: &str| digits.parse().map_err(|_not_a_number| NotAStatus);
        if text == "unknown" {
            Ok(Self::Unknown)
        } else if let Some(status) = text.strip_prefix("exit:") {
            number(status).map(Self::Exited)
        } else {
            let rest = text.strip_prefix("signal:").ok_or(NotAStatus)?;
            let (signal, core) = rest.strip_suffix("+core").map_or((rest, false), |signal| (signal, true));
            number(signal).map(|signal| Self::Signaled { signal, core })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_status_is_written_as_records_have_it() {
        for (raw, text) in [
            (0, "exit:0"),
            (3 << 8, "exit:3"),
            (255 << 8, "exit:255"),
            (9, "signal:9"),
            (15, "signal:15"),
            (11 | 0x80, "signal:11+core"),
            (0x137f, "unknown"),
            (0xffff, "unknown"),
        ] {
            let status = EndStatus::from_wait_status(raw);
            assert_eq!(status.to_string(), text, "{raw:#x}");
            assert_eq!(text.parse(), Ok(status));
        }
        for bad in ["", "exit:", "signal:+core", "exit:x", "9"] {
            assert_eq!(bad.parse::<EndStatus>(), Err(NotAStatus), "{bad:?}");
        }
    }
}
