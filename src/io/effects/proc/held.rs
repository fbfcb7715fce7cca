//! A program that a session holds: a task drains it, signals it and takes its end; whoever asks looks at what it keeps.
//!
//! The handle's last owner gone, the task ends, and the program with all that it started.

use super::start::Started;
use crate::io::child::{Drain, Keep, Leader, Pipes, end, grow};
use bytes::Bytes;
use coalmine_actors::{effects::error::EffectError, ports::ProcessEnd};
use rustix::process::Signal;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::AsyncWriteExt,
    sync::{mpsc, watch},
    time::{Instant, sleep_until, timeout},
};

/// What is kept of each pipe until somebody reads it, bytes; what comes while it is full is let go.
const UNREAD_BYTES_MAX: usize = 1024 * 1024;
/// Longest line; a longer one is told in parts of this length.
const LINE_BYTES_MAX: usize = 64 * 1024;
/// Signals that may wait to be sent. The task sends them at once, so one is the rule.
const SIGNALS_MAX: usize = 16;
/// How long the pipes are read after the program's end, where somebody still holds them.
const REST_MAX: Duration = Duration::from_millis(100);

/// A program that runs, or has ended.
pub(super) struct Running {
    stdout: Unread,
    stderr: Unread,
    signals: mpsc::Sender<Signal>,
    end: watch::Receiver<Option<ProcessEnd>>,
    pub(super) sandbox: String,
}

/// Which of its pipes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Running {
    /// Takes charge of a program until `deadline`, and writes its input.
    pub(super) fn new(started: Started, input: Option<Bytes>, deadline: Instant) -> Self {
        let Started { leader, stdin, stdout, stderr, sandbox } = started;
        let (lines, errors) = (Unread::default(), Unread::default());
        let pipes = Pipes::new(Drain::new(stdout, Filling::of(&lines)), Drain::new(stderr, Filling::of(&errors)));
        let (signals, orders) = mpsc::channel(SIGNALS_MAX);
        let (told, end) = watch::channel(None);
        tokio::spawn(attend(leader, pipes, orders, told, deadline));
        if let Some((mut stdin, input)) = stdin.zip(input) {
            // Ends with the program: nobody is left to read then.
            tokio::spawn(async move { stdin.write_all(&input).await });
        }
        Self { stdout: lines, stderr: errors, signals, end, sandbox }
    }

    /// The next line, without its end; nothing once there will be none.
    pub(super) async fn line(&self, stream: Stream) -> Option<String> {
        let unread = match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        };
        let mut changes = unread.changes.subscribe();
        loop {
            if let Some(line) = unread.take_line() {
                return line;
            }
            // The sender is ours.
            let _ = changes.changed().await;
        }
    }

    /// How it ended, and whether some of its output was let go unread.
    pub(super) async fn wait(&self) -> (ProcessEnd, bool) {
        let mut end = self.end.clone();
        let ended = end.wait_for(Option::is_some).await.ok().and_then(|end| *end);
        let truncated = self.stdout.lock().truncated || self.stderr.lock().truncated;
        (ended.unwrap_or(ProcessEnd::Vanished), truncated)
    }

    /// Signals the program and its group. One that has ended is no error.
    ///
    /// # Errors
    /// So many signals are on their way that one more does not fit.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), EffectError> {
        match self.signals.try_send(signal) {
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(EffectError::limit("signals", SIGNALS_MAX as u64)),
        }
    }
}

/// Drains, signals, and takes the end. Ends with the program, or ends it: at its deadline, or when nobody holds it.
async fn attend(
    mut leader: Leader,
    mut pipes: Pipes<Filling>,
    mut orders: mpsc::Receiver<Signal>,
    told: watch::Sender<Option<ProcessEnd>>,
    deadline: Instant,
) {
    loop {
        // Signals first: they wait for no reader. All branches are cancel-safe.
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                Some(signal) => leader.signal_group(signal),
                None => return, // dropped, the leader ends all of it
            },
            () = leader.ended() => break,
            () = sleep_until(deadline) => {
                end(&leader, &mut pipes).await;
                break;
            }
            () = pipes.some() => {}
        }
    }
    leader.signal_group(Signal::KILL);
    if timeout(REST_MAX, pipes.rest()).await.is_err() {
        // Somebody who has left the group holds them.
        end(&leader, &mut pipes).await;
        let _held_by_nobody_of_ours = timeout(REST_MAX, pipes.rest()).await;
    }
    // No more lines before the end is told: whoever hears of it finds all of them.
    drop(pipes);
    told.send_replace(Some(leader.reap()));
}

/// What came out of a pipe and was not read yet.
#[derive(Clone, Default)]
struct Unread {
    kept: Arc<Mutex<Kept>>,
    changes: watch::Sender<()>,
}

#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    closed: bool,
    truncated: bool,
}

impl Unread {
    /// For as long as bytes are moved, never across an await.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line, or `Some(None)` at the end; nothing where one may still come.
    fn take_line(&self) -> Option<Option<String>> {
        let mut kept = self.lock();
        let within = kept.bytes.len().min(LINE_BYTES_MAX);
        let (line, taken) = match memchr::memchr(b'\n', &kept.bytes[..within]) {
            Some(at) => (at, at + 1),
            None if within == LINE_BYTES_MAX => (within, within),
            None if kept.closed && within == 0 => return Some(None),
            None if kept.closed => (within, within),
            None => return None,
        };
        let text = String::from_utf8_lossy(&kept.bytes[..line]).into_owned();
        kept.bytes.drain(..taken);
        Some(Some(text))
    }
}

/// The end of it that is filled; dropped, nothing more comes.
struct Filling {
    chunk: Vec<u8>,
    unread: Unread,
}

impl Filling {
    fn of(unread: &Unread) -> Self {
        Self { chunk: Vec::new(), unread: unread.clone() }
    }
}

impl Keep for Filling {
    fn room(&mut self) -> &mut Vec<u8> {
        grow(&mut self.chunk)
    }

    fn came(&mut self) {
        let mut kept = self.unread.lock();
        let room = UNREAD_BYTES_MAX.saturating_sub(kept.bytes.len()).min(self.chunk.len());
        kept.truncated |= room < self.chunk.len();
        kept.bytes.extend_from_slice(&self.chunk[..room]);
        drop(kept);
        self.chunk.clear();
        self.unread.changes.send_replace(());
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.unread.lock().closed = true;
        self.unread.changes.send_replace(());
    }
}
