//! Starts the daemon in the background and waits until it answers, or says why it does not.

use super::failure::{Failure, Outcome};
use crate::{api::client::Client, config::place::Place, paths::Paths};
use coalmine_actors::error::{FleetError, Kind};
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{Read, Seek, SeekFrom},
    os::unix::{
        fs::{DirBuilderExt, OpenOptionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How long the daemon may take until it answers.
const START_TIME_MAX: Duration = Duration::from_secs(5);
/// Between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(10);
/// Size at which the daemon's log is turned over when a daemon starts, bytes.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How much of the log a failure shows, bytes.
const LOG_TAIL_BYTES_MAX: u64 = 2048;
/// What a daemon ends with when another one holds the fleet.
const EXIT_HELD: i32 = 75;

/// A client of the daemon that now answers, and its pid.
pub(super) async fn start(place: &Place, verbose: u8) -> Outcome<(Client, u32)> {
    let mut log = Log::open(&place.root)?;
    let paths = Paths::new(&place.root)?;
    check_socket(place, &paths)?;
    let client = Client::new(paths.daemon_socket());
    let mut child = spawn(place, verbose, &log)?;
    let until = Instant::now() + START_TIME_MAX;
    loop {
        if let Ok(status) = client.status().await {
            return Ok((client, status.daemon_pid.unwrap_or_else(|| child.id())));
        }
        match child.try_wait() {
            // Another one was faster; it will answer.
            Ok(Some(status)) if status.code() == Some(EXIT_HELD) && Instant::now() < until => {}
            Ok(Some(status)) => {
                return Err(log.failure(&format!("the daemon did not start ({status})"), exit_of(status)));
            }
            _ if Instant::now() >= until => {
                return Err(log.failure(&format!("the daemon does not answer after {START_TIME_MAX:?}"), None));
            }
            _ => {}
        }
        sleep(LOOK_PAUSE).await;
    }
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

fn spawn(place: &Place, verbose: u8, log: &Log) -> Outcome<Child> {
    // This very program, even when its file has been replaced since.
    let mut command = Command::new("/proc/self/exe");
    command.arg0("coalmine").arg("--root").arg(&place.root).args(vec!["-v"; usize::from(verbose)]);
    command.args(["daemon", "--detached"]).env_remove("COALMINE_SOCKET").current_dir("/");
    // A service manager's word to whoever runs this verb is not for its daemon.
    for theirs in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"] {
        command.env_remove(theirs);
    }
    let (out, err) = (log.file.try_clone(), log.file.try_clone());
    let log =
        |file: std::io::Result<File>| file.map_err(|error| Failure::failed("can not pass the daemon's log", error));
    command.stdin(Stdio::null()).stdout(log(out)?).stderr(log(err)?);
    command.spawn().map_err(|error| Failure::failed("can not start the daemon", error))
}

/// The exit code of a daemon that failed, where it is one of ours.
fn exit_of(status: std::process::ExitStatus) -> Option<u8> {
    status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0)
}

/// `<root>/daemon.log`, from where this start begins.
struct Log {
    path: PathBuf,
    file: File,
    begun: u64,
}

impl Log {
    fn open(root: &Path) -> Outcome<Self> {
        let path = root.join("daemon.log");
        let io = |op: &'static str| move |path: &Path, source| Failure::from(FleetError::io(op, path, source));
        DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(|source| io("create")(root, source))?;
        if std::fs::metadata(&path).is_ok_and(|meta| meta.len() > LOG_BYTES_MAX) {
            let _kept_long = std::fs::rename(&path, root.join("daemon.log.1"));
        }
        let mut options = OpenOptions::new();
        options.append(true).read(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
        let file = options.open(&path).map_err(|source| io("open")(&path, source))?;
        let begun = file.metadata().map_err(|source| io("inspect")(&path, source))?.len();
        Ok(Self { path, file, begun })
    }

    /// The failure, with what the daemon itself said last.
    fn failure(&mut self, what: &str, exit: Option<u8>) -> Failure {
        let mut failure = Failure::new(
            Kind::Failed,
            "daemon-failed",
            format!("{what}\n{}", self.tail().trim_end()),
            format!("its log is {}; `coalmine daemon` runs it in the foreground", self.path.display()),
        );
        if let (Failure::Error(body), Some(exit)) = (&mut failure, exit) {
            body.exit_code = exit;
        }
        failure
    }

    fn tail(&mut self) -> String {
        let end = self.file.metadata().map_or(self.begun, |meta| meta.len());
        let from = self.begun.max(end.saturating_sub(LOG_TAIL_BYTES_MAX));
        let mut text = Vec::new();
        // A log that can not be read has no tail.
        let _unread = self
            .file
            .seek(SeekFrom::Start(from))
            .and_then(|_| (&self.file).take(LOG_TAIL_BYTES_MAX).read_to_end(&mut text));
        crate::text::harmless(&String::from_utf8_lossy(&text))
    }
}
