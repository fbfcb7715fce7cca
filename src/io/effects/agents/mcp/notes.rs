//! What a server says past the protocol, for the session's log: lines of a bounded length, so many at once, written where
//! that may block. Whoever says more than can be written is not kept waiting: the rest is let go, and counted.

use crate::io::child::{Keep, grow};
use coalmine_actors::effects::port::Sink;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::mpsc;

/// Longest line; a longer one is told in parts of this length, bytes.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// Lines that may wait to be written.
const LINES_MAX: usize = 1_024;

/// Takes lines of one server. Clones share it; the default keeps nothing.
#[derive(Clone, Default)]
pub(super) struct Notes(Option<Queue>);

#[derive(Clone)]
struct Queue {
    server: Arc<str>,
    lines: mpsc::Sender<String>,
    let_go: Arc<AtomicU64>,
}

impl Notes {
    /// Lines for `log`, each with the server's name. What writes them ends with the last clone.
    pub(super) fn to(log: Option<Arc<dyn Sink>>, server: &str) -> Self {
        let Some(log) = log else { return Self::default() };
        let (lines, waiting) = mpsc::channel(LINES_MAX);
        let queue = Queue { server: format!("mcp.{server}").into(), lines, let_go: Arc::default() };
        tokio::spawn(write(log, waiting, Arc::clone(&queue.server), Arc::clone(&queue.let_go)));
        Self(Some(queue))
    }

    /// Takes one line, or what there is of it.
    pub(super) fn line(&self, said: &[u8]) {
        let Some(queue) = &self.0 else { return };
        let said = &said[..said.len().min(LINE_BYTES_MAX)];
        if queue.lines.try_send(format!("{}: {}", queue.server, String::from_utf8_lossy(said))).is_err() {
            queue.let_go.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn write(log: Arc<dyn Sink>, mut waiting: mpsc::Receiver<String>, server: Arc<str>, let_go: Arc<AtomicU64>) {
    let mut lines = Vec::new();
    while waiting.recv_many(&mut lines, LINES_MAX).await > 0 {
        match let_go.swap(0, Ordering::Relaxed) {
            0 => {}
            count => lines.push(format!("{server}: {count} more lines came than could be written, and were let go")),
        }
        let (log, some) = (Arc::clone(&log), std::mem::take(&mut lines));
        // A log that can not be written is no reason to end a server.
        let _written_or_not =
            tokio::task::spawn_blocking(move || some.iter().try_for_each(|line| log.line(line))).await;
    }
}

/// A server's stderr, told line by line; what is left without an end is told when it is dropped.
#[derive(Default)]
pub(super) struct Said {
    bytes: Vec<u8>,
    notes: Notes,
}

impl Said {
    /// For these notes.
    pub(super) fn to(notes: Notes) -> Self {
        Self { bytes: Vec::new(), notes }
    }
}

impl Keep for Said {
    fn room(&mut self) -> &mut Vec<u8> {
        grow(&mut self.bytes)
    }

    fn came(&mut self) {
        let mut told = 0;
        while let Some((line, taken)) = first_line(&self.bytes[told..]) {
            self.notes.line(line);
            told += taken;
        }
        self.bytes.drain(..told);
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.notes.line(&self.bytes);
        }
    }
}

/// The first line, and how many bytes it takes; nothing where it has not come to its end.
fn first_line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    match memchr::memchr(b'\n', &bytes[..bytes.len().min(LINE_BYTES_MAX)]) {
        Some(end) => Some((&bytes[..end], end + 1)),
        None if bytes.len() >= LINE_BYTES_MAX => Some((&bytes[..LINE_BYTES_MAX], LINE_BYTES_MAX)),
        None => None,
    }
}
