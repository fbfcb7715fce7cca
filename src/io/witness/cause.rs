//! Why a server died, as far as its status and the host's signs allow to say. Pure.

use super::status::EndStatus;
use std::{fmt, str::FromStr};

/// The cause of an unclaimed death (spec 01 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// SIGKILL, without a sign of the OOM killer.
    Killed,
    /// SIGKILL, with one.
    OomKilled,
    /// Any other signal.
    Crashed,
    /// A status without a signal.
    Exited,
    /// Nobody could see how.
    Unwitnessed,
}

/// The signs that the OOM killer was at work between the arming of the witness and the death.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OomSigns {
    /// The `oom_kill` counter of the server's cgroup, or of the host, rose. The host's counts all processes, so
    /// it is a sign and no proof; the record's forensics hold the counters and the kernel log for whoever doubts.
    pub counter_rose: bool,
    /// The kernel log says that the OOM killer took this very process.
    pub log_names_server: bool,
}

impl Cause {
    /// Judges a death.
    ///
    /// A status that nobody could learn is `Unwitnessed`, whoever noticed the death: without the signal's number,
    /// "killed" would be a guess, and `deaths` shows the daemon's exact status beside it where there is one.
    pub fn judge(status: EndStatus, signs: OomSigns) -> Self {
        match status {
            EndStatus::Unknown => Self::Unwitnessed,
            EndStatus::Exited(_) => Self::Exited,
            EndStatus::Signaled { signal: libc::SIGKILL, .. } if signs.counter_rose || signs.log_names_server => {
                Self::OomKilled
            }
            EndStatus::Signaled { signal: libc::SIGKILL, .. } => Self::Killed,
            EndStatus::Signaled { .. } => Self::Crashed,
        }
    }

    /// As records write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::OomKilled => "oom-killed",
            Self::Crashed => "crashed",
            Self::Exited => "exited",
            Self::Unwitnessed => "unwitnessed",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that is no cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotACause;

impl FromStr for Cause {
    type Err = NotACause;
    fn from_str(text: &str) -> Result<Self, NotACause> {
        [Self::Killed, Self::OomKilled, Self::Crashed, Self::Exited, Self::Unwitnessed]
            .into_iter()
            .find(|cause| cause.as_str() == text)
            .ok_or(NotACause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_follows_from_status_and_signs() {
        let none = OomSigns::default();
        let counter = OomSigns { counter_rose: true, log_names_server: false };
        let log = OomSigns { counter_rose: false, log_names_server: true };
        for (status, signs, cause) in [
            ("signal:9", none, "killed"),
            ("signal:9", counter, "oom-killed"),
            ("signal:9", log, "oom-killed"),
            ("signal:11+core", none, "crashed"),
            ("signal:11+core", counter, "crashed"),
            ("signal:15", none, "crashed"),
            ("exit:0", none, "exited"),
            ("exit:3", counter, "exited"),
            ("unknown", none, "unwitnessed"),
            ("unknown", log, "unwitnessed"),
        ] {
            assert_eq!(Cause::judge(status.parse().unwrap(), signs).to_string(), cause, "{status} {signs:?}");
            assert_eq!(cause.parse::<Cause>().unwrap().as_str(), cause);
        }
        assert_eq!("vanished".parse::<Cause>(), Err(NotACause));
    }
}
