//! How a verb fails: one error, told once, with its hint and its exit code.

use super::output;
use crate::{
    api::{
        client::ClientError,
        wire::{ErrorBody, ErrorEnvelope, SCHEMA_VERSION},
    },
    error::exit_code,
};
use anstyle::{AnsiColor, Style};
use coalmine_actors::error::{FleetError, Kind};
use std::{
    io::{self, Write},
    process::ExitCode,
};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default();

/// The code of a daemon that runs and gives no sign.
pub(super) const DAEMON_MUTE: &str = "daemon-mute";

/// What a verb comes to.
pub(super) type Outcome<T = ()> = Result<T, Failure>;

/// Why a verb does not end with 0.
#[derive(Debug)]
pub(super) enum Failure {
    /// To be told.
    Error(ErrorBody),
    /// All has been said already.
    Quiet(u8),
}

impl Failure {
    /// A failure of the command line itself.
    pub(super) fn new(kind: Kind, code: &str, message: impl ToString, hint: impl ToString) -> Self {
        Self::Error(ErrorBody {
            code: code.into(),
            message: message.to_string(),
            hint: hint.to_string(),
            retryable: matches!(kind, Kind::TimedOut | Kind::Held | Kind::Unreachable),
            exit_code: exit_code(kind),
        })
    }

    /// Arguments that make no sense together.
    pub(super) fn usage(message: impl ToString, hint: impl ToString) -> Self {
        Self::new(Kind::Usage, "usage", message, hint)
    }

    /// Something of the process itself that did not work.
    pub(super) fn failed(what: &str, error: impl ToString) -> Self {
        Self::new(Kind::Failed, "io", format!("{what}: {}", error.to_string()), "")
    }

    /// No daemon, where one is needed.
    pub(super) fn no_daemon(message: impl ToString) -> Self {
        Self::new(Kind::Unreachable, "unreachable", message, "start it with `coalmine up -d`")
    }

    /// What it says; of one that was told already, its exit code.
    pub(super) fn into_body(self) -> ErrorBody {
        match self {
            Self::Error(body) => body,
            Self::Quiet(exit_code) => ErrorBody {
                code: "failed".into(),
                message: format!("failed with the exit code {exit_code}"),
                hint: "what went wrong was told where it happened".into(),
                retryable: false,
                exit_code,
            },
        }
    }

    /// Done, but not all of it; what is missing has been told.
    pub(super) fn degraded() -> Self {
        Self::Quiet(exit_code(Kind::Degraded))
    }
}

impl From<FleetError> for Failure {
    fn from(error: FleetError) -> Self {
        Self::Error((&error).into())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(body) => Self::Error(body),
            ClientError::Unreachable { ref source, .. } => Self::no_daemon(format!("{error}: {source}")),
            ClientError::Deaf { .. } => Self::new(
                Kind::Unreachable,
                DAEMON_MUTE,
                error,
                "it is starting or ending, makes its socket again, or is a verb at work without a daemon: try again; its log is \
                 daemon.log in the state folder",
            ),
            ClientError::Stuck { .. } => Self::new(
                Kind::Unreachable,
                DAEMON_MUTE,
                error,
                "was it stopped? `kill -CONT PID` lets it go on; `kill -KILL PID` ends it, its peers run on, and \
                 `coalmine up -d` starts another",
            ),
            ClientError::Silent { .. } => {
                Self::new(Kind::TimedOut, "timed-out", error, "`coalmine doctor` says whether the daemon answers")
            }
            ClientError::HungUp => {
                Self::new(Kind::Unreachable, "hung-up", error, "it is ending, or has died: `coalmine status`")
            }
            ClientError::Broken(_) => {
                Self::new(Kind::Failed, "bad-answer", error, "is the daemon of the same version? `coalmine status`")
            }
        }
    }
}

/// Output that can not be written. A reader that has left (`coalmine list | head -1`) is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Quiet(0),
            _ => Self::failed("can not write the answer", error),
        }
    }
}

/// What clap refused, or help that somebody asked for.
pub(super) fn of_clap(error: clap::Error, json: bool) -> Failure {
    let usage = exit_code(Kind::Usage);
    if error.use_stderr() && json {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        return Failure::usage(message, "`coalmine --help` lists verbs and flags");
    }
    let _reader_gone = error.print();
    Failure::Quiet(if error.use_stderr() { usage } else { 0 })
}

/// Tells what is left to tell, and gives the exit code.
pub(super) fn end(outcome: Outcome, json: bool) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Quiet(code)) => code.into(),
        Err(Failure::Error(body)) => {
            let code = body.exit_code;
            tell(body, json);
            code.into()
        }
    }
}

/// Writes one error to stderr.
pub(super) fn tell(error: ErrorBody, json: bool) {
    let text = if json {
        output::json(&ErrorEnvelope { schema_version: SCHEMA_VERSION, error })
    } else {
        let mut text = format!("{ERROR}error{ERROR:#}: {}", crate::text::harmless(&error.message));
        for line in error.hint.lines() {
            text.push_str(&format!("\n{HINT}hint{HINT:#}: {}", crate::text::harmless(line)));
        }
        text
    };
    // Nobody is left to hear of a stderr that can not be written.
    let _unheard = writeln!(anstream::stderr(), "{text}");
}
