//! A server's stdin and stdout: a message a line, each way.
//!
//! What is no message is told to the session's log and passed over, as the reference clients do: many a server greets on its
//! stdout. A server that says nothing else is given up.

use super::{fault::Fault, notes::Notes};
use coalmine_actors::effects::error::EffectError;
use rmcp::{
    RoleClient,
    model::{ClientJsonRpcMessage, ServerJsonRpcMessage},
    transport::Transport,
};
use std::{future::Future, io, sync::Arc};
use tokio::{io::AsyncWriteExt, net::unix::pipe, sync::Mutex};
use tokio_stream::StreamExt;
use tokio_util::codec::{AnyDelimiterCodec, AnyDelimiterCodecError, FramedRead};

/// Longest line, bytes. One that is longer ends its server.
pub(super) const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Lines in a row that may be no message.
pub(super) const NOISE_LINES_MAX: usize = 1_000;
/// How much of a line that is no message is told, characters.
const SHOWN_CHARS_MAX: usize = 200;

/// Both ends, for as long as the server is served. Dropped, its stdin is closed.
pub(super) struct Wire {
    lines: FramedRead<pipe::Receiver, AnyDelimiterCodec>,
    /// Held while one message is written: no two are mixed.
    input: Arc<Mutex<pipe::Sender>>,
    notes: Notes,
    fault: Fault,
    /// Lines that came since the last message.
    noise: usize,
}

impl Wire {
    pub(super) fn new(stdout: pipe::Receiver, stdin: pipe::Sender, notes: Notes, fault: Fault) -> Self {
        let codec = AnyDelimiterCodec::new_with_max_length(b"\n".into(), b"\n".into(), LINE_BYTES_MAX);
        let lines = FramedRead::new(stdout, codec);
        Self { lines, input: Arc::new(Mutex::new(stdin)), notes, fault, noise: 0 }
    }

    /// Passes a line over; nothing once there were too many of them.
    fn pass_over(&mut self, line: &[u8]) -> Option<()> {
        self.noise += 1;
        self.notes.line(&[b"(stdout) ", line].concat());
        if self.noise < NOISE_LINES_MAX {
            return Some(());
        }
        let shown: String = String::from_utf8_lossy(line).chars().take(SHOWN_CHARS_MAX).collect();
        let what = format!("the tool server says {NOISE_LINES_MAX} lines that are no message; the last one: {shown:?}");
        self.fault.tell(EffectError::Protocol { what });
        None
    }
}

impl Transport<RoleClient> for Wire {
    type Error = io::Error;

    fn send(&mut self, message: ClientJsonRpcMessage) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let line = serde_json::to_vec(&message);
        let input = Arc::clone(&self.input);
        async move {
            let mut line = line?;
            line.push(b'\n');
            input.lock().await.write_all(&line).await
        }
    }

    /// The next message; nothing at the end, and after a fault. Cancel-safe: what was read is kept.
    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            let line = match self.lines.next().await? {
                Ok(line) => line,
                Err(AnyDelimiterCodecError::MaxChunkLengthExceeded) => {
                    self.fault.tell(EffectError::limit("a line of the tool server", LINE_BYTES_MAX as u64));
                    return None;
                }
                Err(AnyDelimiterCodecError::Io(error)) => {
                    self.fault.tell(error.into());
                    return None;
                }
            };
            let line = line.trim_ascii();
            if line.is_empty() {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(message) => {
                    self.noise = 0;
                    return Some(message);
                }
                Err(_no_message) => self.pass_over(line)?,
            }
        }
    }

    /// Nothing to wait for: what is still being written is let go with the wire.
    async fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}
