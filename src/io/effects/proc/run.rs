//! A run to its end: what it says is kept up to a limit, and nothing of it is left when it is over.

use super::{said, start::Started, told};
use crate::io::child::{Drain, Keep, Pipes, end, grow};
use bytes::Bytes;
use coalmine_actors::{
    effects::{
        error::EffectError,
        output::{Done, Output, Sandbox},
        port::Outcome,
    },
    ports::ProcessEnd,
};
use serde_json::json;
use std::time::Duration;
use tokio::{
    io::AsyncWriteExt,
    time::{Instant, sleep_until, timeout},
};

/// What is kept of each pipe, bytes; what follows is read and let go.
const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long the pipes are read after the program's end, where somebody still holds them.
const REST_MAX: Duration = Duration::from_millis(100);

/// The beginning of a stream.
#[derive(Default)]
struct Head {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Keep for Head {
    fn room(&mut self) -> &mut Vec<u8> {
        grow(&mut self.bytes)
    }

    fn came(&mut self) {
        if self.bytes.len() > OUTPUT_BYTES_MAX {
            self.bytes.truncate(OUTPUT_BYTES_MAX);
            self.truncated = true;
        }
    }
}

/// Writes its input, waits for its end, and gives what it said. Dropped, it ends the program.
pub(super) async fn to_its_end(started: Started, input: Option<Bytes>, deadline: Instant) -> Outcome {
    let Started { mut leader, stdin, stdout, stderr, sandbox } = started;
    if let Some((mut stdin, input)) = stdin.zip(input) {
        // Ends with the program: nobody is left to read then.
        tokio::spawn(async move { stdin.write_all(&input).await });
    }
    let mut pipes = Pipes::new(Drain::new(stdout, Head::default()), Drain::new(stderr, Head::default()));
    loop {
        // A flood is always ready to be read, so everything else is asked first. All branches are cancel-safe: they wait
        // for a state, or keep what they have read.
        tokio::select! {
            biased;
            () = leader.ended() => break,
            () = sleep_until(deadline) => {
                end(&leader, &mut pipes).await;
                leader.reap();
                return Err(EffectError::Timeout { phase: "run" });
            }
            () = pipes.some() => {}
        }
    }
    // Whatever it left in its group; its own number is nobody else's until it is reaped.
    leader.signal_group(rustix::process::Signal::KILL);
    if timeout(REST_MAX, pipes.rest()).await.is_err() {
        // Somebody who has left the group holds them.
        end(&leader, &mut pipes).await;
        let _held_by_nobody_of_ours = timeout(REST_MAX, pipes.rest()).await;
    }
    let status = leader.reap();
    Ok(done(status, pipes.stdout.kept, pipes.stderr.kept, sandbox))
}

fn done(status: ProcessEnd, stdout: Head, stderr: Head, sandbox: String) -> Done {
    let (exit_code, signal) = told(status);
    let truncated = stdout.truncated || stderr.truncated;
    let bytes_in = (stdout.bytes.len() + stderr.bytes.len()) as u64;
    let output = Output::Json(json!({
        "stdout": said(stdout.bytes),
        "stderr": said(stderr.bytes),
        "exit_code": exit_code,
        "signal": signal,
        "truncated": truncated,
    }));
    Done { bytes_in, sandbox: Some(Sandbox(sandbox)), ..output.into() }
}
