//! Both of a child's pipes, drained at once, with a bounded part of what came out of each.

use rustix::fd::OwnedFd;
use std::{future::pending, io};
use tokio::{io::AsyncReadExt, net::unix::pipe};

/// What [`Tail`] keeps of each pipe, bytes.
const TAIL_BYTES_MAX: usize = 64 * 1024;
/// Read at once, bytes: what a pipe holds.
const CHUNK_BYTES: usize = 64 * 1024;

/// What is kept of a stream of any length.
pub(crate) trait Keep: Send {
    /// Where the next bytes go: behind what is there already. Room for some of them must be left.
    fn room(&mut self) -> &mut Vec<u8>;
    /// Some were added.
    fn came(&mut self) {}
}

/// The reading ends.
pub(crate) struct Pipes<K> {
    pub(crate) stdout: Drain<K>,
    pub(crate) stderr: Drain<K>,
}

/// One reading end; none once everybody has closed the other.
pub(crate) struct Drain<K> {
    pipe: Option<pipe::Receiver>,
    pub(crate) kept: K,
}

/// The reading end of a pipe, for a task.
///
/// # Errors
/// No reactor to be had.
pub(crate) fn receiver(pipe: OwnedFd) -> io::Result<pipe::Receiver> {
    rustix::io::ioctl_fionbio(&pipe, true)?;
    pipe::Receiver::from_owned_fd(pipe)
}

impl<K: Keep> Pipes<K> {
    pub(crate) fn new(stdout: Drain<K>, stderr: Drain<K>) -> Self {
        Self { stdout, stderr }
    }

    /// The same where stdout is somebody else's to read.
    pub(crate) fn stderr_alone(stderr: Drain<K>) -> Self
    where
        K: Default,
    {
        Self { stdout: Drain { pipe: None, kept: K::default() }, stderr }
    }

    /// Takes what comes next out of either. Never done once both are closed. Cancel-safe: what was read is kept.
    pub(crate) async fn some(&mut self) {
        let Self { stdout, stderr } = self;
        tokio::select! {
            () = stdout.some() => {}
            () = stderr.some() => {}
        }
    }

    /// Whether both are closed: nobody is left who could write.
    pub(crate) fn are_closed(&self) -> bool {
        self.stdout.pipe.is_none() && self.stderr.pipe.is_none()
    }

    /// Takes everything until both are closed.
    pub(crate) async fn rest(&mut self) {
        while !self.are_closed() {
            self.some().await;
        }
    }
}

impl<K: Keep> Drain<K> {
    pub(crate) fn new(pipe: pipe::Receiver, kept: K) -> Self {
        Self { pipe: Some(pipe), kept }
    }

    async fn some(&mut self) {
        let Some(pipe) = &mut self.pipe else { return pending().await };
        match pipe.read_buf(self.kept.room()).await {
            Ok(0) => self.pipe = None,
            Ok(_) => self.kept.came(),
            Err(again) if again.kind() == io::ErrorKind::Interrupted => {}
            Err(_broken) => self.pipe = None,
        }
    }
}

/// The end of a stream.
#[derive(Default)]
pub(crate) struct Tail(Vec<u8>);

impl Keep for Tail {
    /// Room for a whole chunk; the oldest bytes make way. Each byte is moved once at most.
    fn room(&mut self) -> &mut Vec<u8> {
        if self.0.len() >= TAIL_BYTES_MAX + CHUNK_BYTES {
            self.0.drain(..self.0.len() - TAIL_BYTES_MAX);
        }
        grow(&mut self.0)
    }
}

impl Tail {
    /// The last that came.
    pub(crate) fn last(&self) -> &[u8] {
        &self.0[self.0.len().saturating_sub(TAIL_BYTES_MAX)..]
    }
}

/// Grows as it is used: most programs say a line or two.
pub(crate) fn grow(buffer: &mut Vec<u8>) -> &mut Vec<u8> {
    if buffer.capacity() == buffer.len() {
        buffer.reserve(buffer.len().clamp(512, CHUNK_BYTES));
    }
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flood_leaves_its_end_and_takes_no_room() {
        let (mut writer, reader) = pipe::pipe().unwrap();
        let (_silent, other) = pipe::pipe().unwrap();
        let mut pipes = Pipes::new(Drain::new(other, Tail::default()), Drain::new(reader, Tail::default()));
        let flood = tokio::spawn(async move {
            for number in 0..300_000u32 {
                tokio::io::AsyncWriteExt::write_all(&mut writer, &number.to_be_bytes()).await.unwrap();
            }
        });
        while pipes.stderr.pipe.is_some() {
            pipes.some().await;
            assert!(pipes.stderr.kept.0.capacity() <= 2 * (TAIL_BYTES_MAX + CHUNK_BYTES));
        }
        flood.await.unwrap();
        let tail = pipes.stderr.kept.last();
        assert_eq!(tail.len(), TAIL_BYTES_MAX);
        assert_eq!(tail[tail.len() - 4..], 299_999u32.to_be_bytes());
        assert_eq!(pipes.stdout.kept.last(), b"");
    }
}
