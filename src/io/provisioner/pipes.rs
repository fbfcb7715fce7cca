//! Both of a child's pipes, drained at once, with the end of what came out of each.

use std::{future::pending, io};
use tokio::{io::AsyncReadExt, net::unix::pipe};

/// What is kept of each pipe, bytes.
pub(super) const TAIL_BYTES_MAX: usize = 64 * 1024;
/// Read at once, bytes: what a pipe holds.
const CHUNK_BYTES: usize = 64 * 1024;

/// The reading ends.
pub(super) struct Pipes {
    pub(super) stdout: Drain,
    pub(super) stderr: Drain,
}

/// One reading end; none once everybody has closed the other.
pub(super) struct Drain {
    pipe: Option<pipe::Receiver>,
    tail: Tail,
}

impl Pipes {
    pub(super) fn new(stdout: pipe::Receiver, stderr: pipe::Receiver) -> Self {
        let drain = |pipe| Drain { pipe: Some(pipe), tail: Tail::default() };
        Self { stdout: drain(stdout), stderr: drain(stderr) }
    }

    /// Takes what comes next out of either. Never done once both are closed. Cancel-safe: what was read is kept.
    pub(super) async fn some(&mut self) {
        let Self { stdout, stderr } = self;
        tokio::select! {
            () = stdout.some() => {}
            () = stderr.some() => {}
        }
    }

    /// Takes everything until both are closed.
    pub(super) async fn rest(&mut self) {
        while self.stdout.pipe.is_some() || self.stderr.pipe.is_some() {
            self.some().await;
        }
    }
}

impl Drain {
    async fn some(&mut self) {
        let Some(pipe) = &mut self.pipe else { return pending().await };
        self.tail.make_room();
        match pipe.read_buf(&mut self.tail.0).await {
            Ok(0) => self.pipe = None,
            Ok(_) => {}
            Err(again) if again.kind() == io::ErrorKind::Interrupted => {}
            Err(_broken) => self.pipe = None,
        }
    }

    /// The last that came.
    pub(super) fn tail(&self) -> &[u8] {
        self.tail.last()
    }
}

/// The end of a stream of any length.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    /// Room for a whole chunk; the oldest bytes make way. Each byte is moved once at most.
    fn make_room(&mut self) {
        if self.0.len() >= TAIL_BYTES_MAX + CHUNK_BYTES {
            self.0.drain(..self.0.len() - TAIL_BYTES_MAX);
        }
        if self.0.capacity() == self.0.len() {
            // Grows as it is used: most programs say a line or two.
            self.0.reserve(self.0.len().clamp(512, CHUNK_BYTES));
        }
    }

    fn last(&self) -> &[u8] {
        &self.0[self.0.len().saturating_sub(TAIL_BYTES_MAX)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flood_leaves_its_end_and_takes_no_room() {
        let (mut writer, reader) = pipe::pipe().unwrap();
        let (_silent, other) = pipe::pipe().unwrap();
        let mut pipes = Pipes::new(other, reader);
        let flood = tokio::spawn(async move {
            for number in 0..300_000u32 {
                tokio::io::AsyncWriteExt::write_all(&mut writer, &number.to_be_bytes()).await.unwrap();
            }
        });
        while pipes.stderr.pipe.is_some() {
            pipes.some().await;
            assert!(pipes.stderr.tail.0.capacity() <= 2 * (TAIL_BYTES_MAX + CHUNK_BYTES));
        }
        flood.await.unwrap();
        let tail = pipes.stderr.tail();
        assert_eq!(tail.len(), TAIL_BYTES_MAX);
        assert_eq!(tail[tail.len() - 4..], 299_999u32.to_be_bytes());
        assert_eq!(pipes.stdout.tail(), b"");
    }
}
