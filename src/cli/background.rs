//! Starts the daemon in the background and waits until it answers, or says why it does not.
//!
//! The daemon's stdout and stderr are a pipe to whoever starts it until it has opened its log; a typed error goes into
//! that pipe also later, as one JSON line.

use super::{
    failure::{Failure, Outcome},
    output,
};
use crate::{
    api::{
        client::Client,
        wire::{ErrorEnvelope, SCHEMA_VERSION},
    },
    config::place::Place,
    daemon::LOG_FILE,
    io::private_dir,
    paths::Paths,
};
use coalmine_actors::error::{FleetError, Kind};
use std::{
    fs::File,
    io::{PipeReader, PipeWriter, Read, Seek, SeekFrom, Write},
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How long a daemon whose process lives may take until it answers: longer than reading the fleet may, so that one
/// that gives up can say why.
const START_TIME_MAX: Duration = Duration::from_secs(45);
/// After which wait it is said what is waited for.
const START_TIME_USUAL: Duration = Duration::from_secs(3);
/// How long the daemon that holds the fleet may take until it answers.
const HOLDER_TIME_MAX: Duration = Duration::from_secs(5);
/// Between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(10);
/// How much of what the daemon said a failure shows, bytes.
const WORDS_BYTES_MAX: u64 = 2048;
/// Longest word of a daemon that does not start, bytes: more than its pipe holds does not come.
const REPORT_BYTES_MAX: u64 = 64 * 1024;
/// What a daemon ends with when another one holds the fleet.
const EXIT_HELD: i32 = 75;

/// A client of the daemon that now answers, and its pid.
pub(super) async fn start(place: &Place, verbose: u8) -> Outcome<(Client, u32)> {
    // Here, since nothing can be looked for in a root that is not there.
    private_dir::root(&place.root)?;
    let paths = Paths::new(&place.root)?;
    check_socket(place, &paths)?;
    let client = Client::of(&paths);
    let (hears, says) = std::io::pipe().map_err(|error| Failure::failed("can not hear the daemon", error))?;
    let log = Log::now(&paths);
    let mut child = spawn(place, verbose, &says)?;
    drop(says);
    let begun = Instant::now();
    let (mut told, mut held_since) = (false, None);
    loop {
        if let Ok(status) = client.status().await {
            return Ok((client, status.daemon_pid.unwrap_or_else(|| child.id())));
        }
        match child.try_wait() {
            // Another one was faster; it will answer.
            Ok(Some(status))
                if status.code() == Some(EXIT_HELD)
                    && held_since.get_or_insert_with(Instant::now).elapsed() < HOLDER_TIME_MAX => {}
            Ok(Some(status)) => return Err(why(hears, &format!("the daemon did not start ({status})"), &log)),
            _ if begun.elapsed() >= START_TIME_MAX => {
                return Err(log.failure(&format!("the daemon does not answer after {START_TIME_MAX:?}"), ""));
            }
            _ if begun.elapsed() >= START_TIME_USUAL && !std::mem::replace(&mut told, true) => {
                output::note(&format!("still waiting for the daemon to answer; its log: {}", log.path.display()));
            }
            _ => {}
        }
        sleep(LOOK_PAUSE).await;
    }
}

/// Tells whoever started this daemon why it ends. They may have left long ago.
pub(super) fn report(error: &FleetError, starter: OwnedFd) {
    let envelope = ErrorEnvelope { schema_version: SCHEMA_VERSION, error: error.into() };
    let _unheard = writeln!(File::from(starter), "{}", output::json(&envelope));
}

/// A daemon serves its root's socket; one that was named otherwise would never answer.
fn check_socket(place: &Place, paths: &Paths) -> Outcome {
    match &place.socket {
        Some(named) if *named != paths.daemon_socket() => Err(Failure::no_daemon(format!(
            "the daemon of {} answers at {}, not at {}",
            place.root.display(),
            paths.daemon_socket().display(),
            named.display()
        ))),
        _ => Ok(()),
    }
}

fn spawn(place: &Place, verbose: u8, says: &PipeWriter) -> Outcome<Child> {
    // This very program, even when its file has been replaced since.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("coalmine").arg("--root").arg(&place.root).args(vec!["-v"; usize::from(verbose)]);
    command.args(["daemon", "--detached"]).env_remove("COALMINE_SOCKET").current_dir("/");
    // A service manager's word to whoever runs this verb is not for its daemon.
    for theirs in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
        command.env_remove(theirs);
    }
    let end = || says.try_clone().map_err(|error| Failure::failed("can not hear the daemon", error));
    command.stdin(Stdio::null()).stdout(end()?).stderr(end()?);
    command.spawn().map_err(|error| Failure::failed("can not start the daemon", error))
}

/// Why a daemon that has ended did not start: its own error, else its words.
fn why(hears: PipeReader, what: &str, log: &Log) -> Failure {
    // What it started may still have the pipe: only what is in it now is read.
    let mut said = Vec::new();
    let _rest = rustix::io::ioctl_fionbio(&hears, true).map(|()| hears.take(REPORT_BYTES_MAX).read_to_end(&mut said));
    let said = String::from_utf8_lossy(&said);
    let error = said.lines().rev().find_map(|line| serde_json::from_str::<ErrorEnvelope>(line).ok());
    error.map_or_else(|| log.failure(what, &said), |envelope| Failure::Error(envelope.error))
}

/// The daemon's log, from where this start begins.
struct Log {
    path: PathBuf,
    begun: u64,
}

impl Log {
    fn now(paths: &Paths) -> Self {
        let path = paths.root().join(LOG_FILE);
        Self { begun: path.metadata().map_or(0, |meta| meta.len()), path }
    }

    /// A failure without an error of its own, with what the daemon said last.
    fn failure(&self, what: &str, said: &str) -> Failure {
        let words = format!("{what}\n{}{}", crate::text::harmless(said), self.tail());
        let hint = format!("its log is {}; `coalmine daemon` runs it in the foreground", self.path.display());
        Failure::new(Kind::Failed, "daemon-failed", words.trim_end(), hint)
    }

    fn tail(&self) -> String {
        let read = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(&self.path)?;
            let end = file.metadata()?.len();
            file.seek(SeekFrom::Start(self.begun.max(end.saturating_sub(WORDS_BYTES_MAX))))?;
            let mut text = Vec::new();
            file.take(WORDS_BYTES_MAX).read_to_end(&mut text)?;
            Ok(text)
        };
        // A log that can not be read has no tail.
        crate::text::harmless(&String::from_utf8_lossy(&read().unwrap_or_default()))
    }
}
